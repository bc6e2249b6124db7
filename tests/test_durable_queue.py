import pytest
from fixtures.claims import claim
from fixtures.turns import after_restart

def one_message(scene, queue_type):
    queue = scene.queue(queue_type=queue_type)
    scene.publish(queue, "kept")
    return queue

@claim("durable-queue.persistent-survives")
@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
@after_restart(one_message)
def test_persistent_message_survives(scene, arranged):
    late = scene.drain(arranged)
    assert late.bodies == ["kept"]

@claim("durable-queue.persistent-survives")
def test_simple(scene):
    q = scene.queue()
    r = scene.receiver("a", q)
    scene.publish(q, "x")
    scene.wait_for_deliveries(1)
