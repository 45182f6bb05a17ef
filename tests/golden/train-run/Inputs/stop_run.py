"""stop_run.py SIGNAL STATUS OUT ARGUMENT...: runs `dlc ARGUMENT... --out OUT`, sends it the signal once the run's log has a
line, shows what it said, and checks its exit status."""
import os
import signal
import subprocess
import sys
import time

name, status, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
run = subprocess.Popen(['dlc', *sys.argv[4:], '--out', out], stderr=subprocess.PIPE, text=True)
log = os.path.join(out, 'log.jsonl')
while run.poll() is None and not (os.path.exists(log) and os.path.getsize(log)):
    time.sleep(0.02)
run.send_signal(getattr(signal, name))
said = run.communicate()[1]
sys.stdout.write(said)
if run.returncode != status:
    sys.exit(f'exit status {run.returncode}, not {status}')
