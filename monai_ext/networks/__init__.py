"""Networks: the contract every text-prompted method follows, and one file per method."""
