"""A watcher of health in a process of its own, for a test to stop with SIGSTOP."""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def main() -> None:
    with grpc.insecure_channel(sys.argv[1]) as channel:
        try:
            for _ in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
                print("watching")
        except grpc.RpcError as ended:
            print(ended.code())


if __name__ == "__main__":
    main()
