from monai_ext.callers import caller


class Outer:
    def call(self, function):
        return function()


class Inner(Outer):
    pass


def test_the_nearest_caller_of_the_class_is_found_at_any_distance():
    outer, inner = Outer(), Inner()
    assert outer.call(lambda: inner.call(lambda: caller(Outer))) is inner
    assert inner.call(lambda: outer.call(lambda: caller(Inner))) is inner


def test_without_such_a_caller_there_is_none():
    assert Outer().call(lambda: caller(Inner)) is None
