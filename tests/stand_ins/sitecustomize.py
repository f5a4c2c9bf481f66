"""Every Python that starts with this folder on its path builds and runs engines on ``fake_tensorrt``."""

from vocabseg.tensorrt import backend

backend.TENSORRT = "fake_tensorrt:FakeTensorRT"
