"""resident.py [--process MIB] < LINE: is a line of `dlc bench --profile --json` true about memory? Within 5 %, or a megabyte."""
import json
import sys

line = json.load(sys.stdin)
told, held = line["step_bytes"], line["resident_bytes"]
if held and abs(held - told) > max(0.05 * told, 1 << 20):
    sys.exit(f"{line['workload']}: {told} bytes were told, {held} are held")
if "--process" in sys.argv and line["rss_mib"] > int(sys.argv[-1]):
    sys.exit(f"{line['workload']}: the process took {line['rss_mib']} MiB")
