"""Listens on a port and appends the first line of whatever connects to a file: nothing should.

Arguments: the port, the file.
"""

import socket
import sys

port, seen = int(sys.argv[1]), sys.argv[2]
with socket.create_server(("", port)) as listener:
    while True:
        connection, peer = listener.accept()
        with connection, open(seen, "a", encoding="utf-8") as file:
            connection.settimeout(5)
            try:
                line = connection.recv(200).split(b"\r\n")[0].decode(errors="replace")
            except OSError as error:
                line = str(error)
            file.write(f"{peer[0]}: {line}\n")
