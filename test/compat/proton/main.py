"""Qpid Proton's Python client of AMQP 1.0 against a broker: links, settlement,
drain, large messages, request and answer, both versions of addresses, and mistakes.
It prints `ok NAME` for each part that held.
"""

import os
import sys
import uuid

from proton import ConnectionException, Message, SSLDomain, symbol
from proton.utils import BlockingConnection, SendException

TIMEOUT = 60


def connect(url=None):
    trust = SSLDomain(SSLDomain.MODE_CLIENT)
    trust.set_trusted_ca_db(os.environ["COFFER_CA"])
    trust.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    address = (url or os.environ["COFFER_AMQP_URL"]).split("/%2f")[0]
    return BlockingConnection(address, ssl_domain=trust, timeout=TIMEOUT,
                              allowed_mechs="PLAIN")


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def work_queue(name):
    """A queue that a plain name declares; messages are accepted one by one."""
    conn = connect()
    sender = conn.create_sender(name)
    for n in range(20):
        sender.send(Message(body={"n": n}, id=n, subject="task", durable=True,
                            properties={"n": n}))
    receiver = conn.create_receiver("/queues/" + name, credit=5)
    for n in range(20):
        m = receiver.receive(timeout=TIMEOUT)
        check(m.body == {"n": n} and m.properties["n"] == n and m.id == n, repr(m))
        receiver.accept()
    conn.close()


def outcomes(name):
    """Released messages come back, rejected ones do not."""
    conn = connect()
    sender = conn.create_sender(name)
    sender.send(Message(body="one"))
    receiver = conn.create_receiver(name, credit=1)
    m = receiver.receive(timeout=TIMEOUT)
    check(m.first_acquirer and m.delivery_count == 0, repr(m))
    receiver.release(delivered=False)
    m = receiver.receive(timeout=TIMEOUT)
    check(not m.first_acquirer and m.delivery_count == 0, repr(m))
    receiver.release(delivered=True)
    m = receiver.receive(timeout=TIMEOUT)
    check(not m.first_acquirer, repr(m))
    receiver.reject()
    sender.send(Message(body="two"))
    m = receiver.receive(timeout=TIMEOUT)
    check(m.body == "two", repr(m))
    receiver.accept()
    conn.close()


def publish_subscribe(name):
    """Each subscriber of a topic has a queue of its own."""
    conn = connect()
    some = conn.create_receiver("/topic/news.*." + name, credit=5)
    every = conn.create_receiver("/exchange/amq.topic/#." + name, credit=5)
    conn.create_sender("/exchanges/amq.topic/news.eu." + name).send(Message(body="eu"))
    conn.create_sender("/exchanges/amq.topic/sport." + name).send(Message(body="sport"))
    for receiver, bodies in (some, ["eu"]), (every, ["eu", "sport"]):
        for body in bodies:
            check(receiver.receive(timeout=TIMEOUT).body == body, body)
            receiver.accept()
    conn.close()


def rpc(name):
    """A question with the address of a queue that the broker made for the answer."""
    server = connect()
    questions = server.create_receiver(name, credit=1)
    answers = server.create_sender(None)
    client = connect()
    mine = client.create_receiver(None, dynamic=True, credit=1)
    client.create_sender(name).send(
        Message(body="2+2", reply_to=mine.link.remote_source.address, correlation_id="c"))
    q = questions.receive(timeout=TIMEOUT)
    questions.accept()
    answers.send(Message(address=q.reply_to, body=4, correlation_id=q.correlation_id))
    a = mine.receive(timeout=TIMEOUT)
    check(a.body == 4 and a.correlation_id == "c", repr(a))
    server.close()
    client.close()


def bodies(name):
    """Bodies of many types and sizes come back as they were."""
    conn = connect()
    sender = conn.create_sender(name)
    receiver = conn.create_receiver(name, credit=1)
    for body in (None, True, -7, 1.5, "täxt", b"\0\xff", symbol("s"), uuid.uuid4(),
                 [1, "two", [3]], {"a": {"b": [1]}}, b"x" * 3_000_000):
        sender.send(Message(body=body, inferred=isinstance(body, bytes)))
        m = receiver.receive(timeout=TIMEOUT)
        check(m.body == body, f"{str(body)[:40]} came back as {str(m.body)[:40]}")
        receiver.accept()
    conn.close()


def expect(error, words, call):
    try:
        call()
    except error as e:
        for word in words:
            check(word in str(e), f"{e} does not say {word}")
    else:
        raise AssertionError(f"no {error}")


def mistakes(name):
    """What is not there, and who is not let in."""
    conn = connect()
    expect(Exception, ["amqp:not-found", "no queue 'none-" + name],
           lambda: conn.create_receiver("/queues/none-" + name))
    conn.close()
    url = os.environ["COFFER_AMQP_URL"]
    wrong = url.split("://")[0] + "://admin:wrong@" + url.split("@")[1]
    expect(ConnectionException, ["Authentication failed"], lambda: connect(wrong))
    conn = connect()
    sender = conn.create_sender(None)
    expect(SendException, [], lambda: sender.send(Message(body="x", address="nowhere")))
    conn.close()


def main():
    for part in work_queue, outcomes, publish_subscribe, rpc, bodies, mistakes:
        part(part.__name__ + "-" + uuid.uuid4().hex[:8])
        print("ok", part.__name__.replace("_", "-"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
