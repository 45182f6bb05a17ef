"""on_terminal.py [--columns N] COMMAND..: runs it with a terminal for standard error, N columns wide; prints what it wrote
there, \\r and escapes spelt out."""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

ours, theirs = pty.openpty()
command = sys.argv[1:]
if command[0] == '--columns':
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(command[1]), 0, 0))
    command = command[2:]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, 'TERM': 'xterm'})
os.close(theirs)
text = b''
while True:
    try:
        piece = os.read(ours, 65536)
    except OSError:  # how a pty ends on Linux
        break
    if not piece:
        break
    text += piece
print(text.decode().replace('\r\n', '\n').replace('\r', '<CR>').replace('\x1b', '<ESC>'))
sys.exit(process.wait())
