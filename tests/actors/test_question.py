"""The duty to answer: settled once, by whoever comes first, and in the hand of one incarnation at a time."""

from router.actors.question import Question


def test_the_first_settlement_wins() -> None:
    notified: list[str] = []
    question = Question(1.0, lambda: notified.append("settled"))
    assert not question.settled
    question.reply("one")
    question.reply("two")
    question.fail(ValueError("three"))
    question.abandon()
    assert (question.value, question.error, notified) == ("one", None, ["settled"])


def test_an_error_keeps_its_traceback() -> None:
    question = Question(1.0, lambda: None)
    try:
        raise ValueError("no")
    except ValueError as error:
        question.fail(error)
    assert isinstance(question.error, ValueError)
    assert question.traceback is question.error.__traceback__
    assert question.settled


def test_whoever_leaves_is_owed_nothing() -> None:
    question = Question(1.0, lambda: None)
    question.abandon()
    question.reply("late")
    assert (question.settled, question.value) == (True, None)


def test_it_is_in_one_hand_until_it_is_settled_or_handed_over() -> None:
    one: set[Question] = set()
    two: set[Question] = set()
    question = Question(1.0, lambda: None)
    question.take(one)
    assert one == {question}
    question.hand_over()
    question.hand_over()
    assert one == set()
    question.take(two)
    question.reply(None)
    assert two == set()
    assert question.holder is None
