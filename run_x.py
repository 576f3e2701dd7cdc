import sys,time
from pathlib import Path
import tempfile
from tests.faults.catalogue import SCENARIOS
from tests.faults.explorer import explore
from tests.faults.disk import Model
name=sys.argv[1]; budget=int(sys.argv[2])
for m in Model:
    with __import__("contextlib").nullcontext(tempfile.mkdtemp(prefix="crash")) as d:
        t=time.time(); f=explore(SCENARIOS[name],Path(d),m,budget,int(sys.argv[3])); print(f.line(), round(time.time()-t,1)); print(*f.broken[:6],sep="\n")
