"""aio-pika against a broker that runs: main.py patterns|mistakes|recovery. Each line
`ok NAME` is one part that held; the first that does not ends the program."""

import asyncio
import importlib
import sys

from client import connect


async def main(mode):
    for part in importlib.import_module(mode).ALL:
        connection = await connect()
        await part(connection)
        await connection.close()
        print("ok", part.__name__.replace("_", "-"), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
