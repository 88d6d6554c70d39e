"""What the DataLoader is made of: fetching items, joining them into batches, workers and their messages."""

MP_STATUS_CHECK_INTERVAL = 5.0  # seconds between two looks whether the other process still lives

from . import collate, fetch, worker  # noqa: E402
