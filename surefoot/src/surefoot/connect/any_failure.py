"""The errors that a use of the database can raise, for those who go on without it."""

from sqlalchemy.exc import SQLAlchemyError

from surefoot.connect.failures import DRIVER, SILENCE

DATABASE_ERRORS = (SQLAlchemyError, *DRIVER, *SILENCE)
