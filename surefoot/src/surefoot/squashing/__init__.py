"""surefoot squash: the first revisions of a chain as one file, proved equal to them.

chain on a scratch database --> pg_dump --> SQL --> on another one: the same catalog and dump?
                                             '--> squashed.sql
"""
