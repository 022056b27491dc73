#!/usr/bin/env python3
"""One run of the official PyTorch port of GRU4Rec on one CPU thread, for gru4rec.sh.

    gru4rec_port.py PORT SESSIONS_TSV EPOCHS

PORT is a checkout of github.com/hidasib/GRU4Rec_PyTorch_Official, used as it is, with the
parameters of its own RetailRocket file. Prints its epoch lines (minibatches/s, events/s) and
last: port PREDICTIONS SECONDS CPU-SECONDS, of training alone.
Weights start as PyTorch draws them: the port's other way fails with NumPy 2.
"""
import importlib.util
import os
import sys
import time

PORT, SESSIONS, EPOCHS = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, PORT)

import pandas
import torch

torch.set_num_threads(1)
torch.manual_seed(1)
from gru4rec_pytorch import GRU4Rec

path = os.path.join(PORT, "paramfiles", "retailrocket_bprmax_shared_best.py")
spec = importlib.util.spec_from_file_location("parameters", path)
parameters = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parameters)

data = pandas.read_csv(SESSIONS, sep="\t", dtype={"ItemId": str})
model = GRU4Rec(device=torch.device("cpu"))
model.set_params(**dict(parameters.gru4rec_params, n_epochs=EPOCHS))
print("torch %s, %d thread" % (torch.__version__, torch.get_num_threads()))
wall, cpu = time.monotonic(), time.process_time()
model.fit(data, sample_cache_max_size=2000000, compatibility_mode=False)
predictions = (len(data) - data.SessionId.nunique()) * EPOCHS
print("port", predictions, time.monotonic() - wall, time.process_time() - cpu)
