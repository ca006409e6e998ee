"""Backfills change the rows of large tables in small transactions, beside the service.

    backfills/*.py --> files --> Backfill --+
                                            +--> batch --> statements: one batch, one transaction
    state (in the database) --> ranges -----+       '----> pace: how many rows the next one has
          '--> worker: leases a range, walks it; run: workers, laps, progress
          '--> control: pause, resume, cancel, other parameters, from any terminal

The state of a backfill is in the database alone: a run that was killed goes on where its last
batch committed, and runs on several machines share the ranges of one walk.
"""
