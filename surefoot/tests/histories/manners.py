"""Ten projects, each in a manner of its own."""

from histories.changes import USUAL
from histories.history import Manner
from histories.rare_changes import OUTSIDE, PSYCOPG, of_application, unclaimed

MANNERS = (
    Manner("usual", 20),
    Manner("outside", 60, changes=(*OUTSIDE, *USUAL, *OUTSIDE)),
    Manner("years", 40, ids="numbers", folders="years"),
    Manner("locations", 30, files="{slug}_", folders="two"),
    Manner("bases", 37, shape="bases"),
    Manner("merges", 50, shape="merges", files="{date}_{id}"),
    Manner("digits", 30, ids="digits", files="{date}_{id}"),
    Manner("joined", 25, ids="joined", version_table="billing_version", schema="billing"),
    Manner("psycopg", 40, changes=(*PSYCOPG, *USUAL, *PSYCOPG), driver="psycopg2"),
    Manner("application", 120, changes=(of_application, unclaimed, *USUAL, *OUTSIDE)),
)
