"""on_terminal.py COMMAND..: runs it with a terminal for standard error; prints what it wrote there, \\r and escapes spelt out."""
import os
import pty
import subprocess
import sys

ours, theirs = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, 'TERM': 'xterm'})
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
