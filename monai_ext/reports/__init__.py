"""``report.html`` of evaluate, compare, tune and train: one file each, made of what these commands wrote."""
