"""The worker: answers the grader's requests by calling student code, one after the other."""
import socket

import torch

from autograder.worker import wire
from autograder.worker.invoke import Invoker, seed_new_generators


def serve(requests: socket.socket, config: dict, limits: dict) -> None:
    """Answer until the grader hangs up. An answer that cannot travel is replaced by an error that can."""
    torch.set_num_threads(limits["threads"])
    seed_new_generators()
    invoke = Invoker(config["package"])
    wire.send(requests, {"ready": True})
    while True:
        try:
            request = wire.receive(requests)
        except EOFError:
            return
        reply = invoke(request)
        try:
            wire.send(requests, reply)
        except (wire.WireError, ValueError, TypeError, RuntimeError, RecursionError) as error:
            wire.send(requests, {"error": {"kind": "unsendable", "type": type(error).__name__}})
