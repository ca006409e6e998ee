"""Every error that a person can meet, in one tree.

    VegafsError
    |- UsageError              exit 2   what was asked or configured cannot work
    |  |- SettingsInvalid        settings-invalid
    |  |- DatabaseUrlMissing     database-url-missing
    |  |- DatabaseUrlInvalid     database-url-invalid
    |  |- TargetUnknown          target-unknown
    |  |- LoginRefused           login-refused
    |  |- DatabaseMissing        database-missing
    |  |- PermissionMissing      permission-missing
    |  |- RevisionUnknown        revision-unknown
    |  |- RevisionsBroken        revisions-broken
    |  |- MessageMissing         message-missing
    |  |- ReasonMissing          reason-missing
    |  |- ModelsNotImportable    models-not-importable
    |  |- ServerBinariesMissing  server-binaries-missing
    |  |- DumpProgramMissing     dump-program-missing
    |  |- VolumeUnknown          volume-unknown
    |  |- PathOutsideVolumes     path-outside-volumes
    |  |- PathNotAFolder         path-not-a-folder
    |  |- CursorInvalid          cursor-invalid
    |  |- JobImpossible          job-impossible
    |  |- PortBusy               port-busy
    |  '- NotFound               not-found
    |     |- JobNotFound            job-not-found
    |     '- KeyNotFound            key-not-found
    |- CheckFailed             exit 1   a check said no
    |  |- DatabaseBehind         database-behind
    |  |- DatabaseAhead          database-ahead
    |  |- DatabaseDiverged       database-diverged
    |  |- NeverMigrated          never-migrated
    |  |- DatabaseDrifted        database-drifted
    |  |- LockFileStale          lock-file-stale
    |  |- TargetMissed           target-missed
    |  |- ModelsDiffer           models-differ
    |  |- RevisionMisnamed       revision-misnamed
    |  |- RevisionImports        revision-imports
    |  |- RoundTripDiffers       round-trip-differs
    |  |- RowsRefused            rows-refused
    |  |- RowsLost               rows-lost
    |  |- RowsMissing            rows-missing
    |  |- OfflineDiffers         offline-differs
    |  '- OfflineImpossible      offline-impossible
    |- Refused                 exit 3   a guard said no; nothing was changed
    |  |- TransactionAlreadyOpen transaction-already-open
    |  |- LoopAlreadyRunning     loop-already-running
    |  |- LockTimeoutMissing     lock-timeout-missing
    |  |- StandbyRefused         standby
    |  |- ReadOnlyRefused        read-only
    |  |- PoolerRefused          pooler
    |  |- NotAdopted             not-adopted
    |  |- MixedRevision          mixed-revision
    |  |- CommitsByItself        commits-by-itself
    |  |- IndexDiffers           index-differs
    |  |- BackupFailed           backup-failed
    |  |- BackupMissing          backup-missing
    |  |- DataWouldBeLost        data-would-be-lost
    |  |- StampRefused           stamp-refused
    |  |- RevisionUnsafe         revision-unsafe
    |  |- ServicesAlive          services-alive
    |  |- RevisionEdited         revision-edited
    |  |- RevisionMissing        revision-missing
    |  |- RevisionInserted       revision-inserted
    |  |- LedgerEdited           ledger-edited
    |  |- ServerInUse            server-in-use
    |  |- JobActive              job-active
    |  |- JobFinal               job-final
    |  |- KeyNameTaken           key-name-taken
    |  |- KeyMissing             key-missing
    |  |- KeyUnknown             key-unknown
    |  '- ScopeMissing           scope-missing
    |- RunFailed               exit 4   stopped part-way; says what was applied
    |  |- UpgradeFailed          run-failed
    |  |  |- DiskFull              disk-full
    |  |  '- StepNotPermitted      step-not-permitted
    |  |- DuplicateRows          duplicate-rows
    |  |- SchemaNotCopied        schema-not-copied
    |  '- ServerStartFailed      server-start-failed
    '- Temporary               exit 75  trying again is safe
       |- DatabaseUnreachable    database-unreachable
       |- StatementCancelled     statement-cancelled
       |- NotReady               not-ready
       |- MutexHeld              mutex-held
       |- LockBlocked            lock-blocked
       |- TableLocked            table-locked
       |- ConnectionLost         connection-lost
       '- Interrupted            interrupted (exit 130 or 143)

Data sits in attributes and wording inside the class, so that a caller, a log and a person read
the same fact. The exit code belongs to the branch. No message ever holds a password: what is
interpolated is a database's name and address, never a URL as it was given.

Each branch is a module; all of them are imported from here.
"""

from app.errors.base import VegafsError
from app.errors.check_failed import (
    CheckFailed,
    DatabaseAhead,
    DatabaseBehind,
    DatabaseDiverged,
    DatabaseDrifted,
    LockFileStale,
    ModelsDiffer,
    NeverMigrated,
    TargetMissed,
)
from app.errors.check_failed_history import (
    OfflineDiffers,
    OfflineImpossible,
    RevisionImports,
    RevisionMisnamed,
    RoundTripDiffers,
    RowsLost,
    RowsMissing,
    RowsRefused,
)
from app.errors.refused import (
    BackupFailed,
    BackupMissing,
    CommitsByItself,
    DataWouldBeLost,
    IndexDiffers,
    LockTimeoutMissing,
    LoopAlreadyRunning,
    MixedRevision,
    NotAdopted,
    PoolerRefused,
    ReadOnlyRefused,
    Refused,
    RevisionUnsafe,
    ServerInUse,
    ServicesAlive,
    StandbyRefused,
    TransactionAlreadyOpen,
)
from app.errors.refused_history import (
    LedgerEdited,
    RevisionEdited,
    RevisionInserted,
    RevisionMissing,
    StampRefused,
)
from app.errors.refused_requests import (
    JobActive,
    JobFinal,
    KeyMissing,
    KeyNameTaken,
    KeyUnknown,
    ScopeMissing,
)
from app.errors.run_failed import (
    DiskFull,
    DuplicateRows,
    RunFailed,
    SchemaNotCopied,
    ServerStartFailed,
    StepNotPermitted,
    UpgradeFailed,
)
from app.errors.temporary import (
    ConnectionLost,
    DatabaseUnreachable,
    Interrupted,
    LockBlocked,
    MutexHeld,
    NotReady,
    StatementCancelled,
    TableLocked,
    Temporary,
)
from app.errors.usage import (
    CursorInvalid,
    DatabaseMissing,
    DatabaseUrlInvalid,
    DatabaseUrlMissing,
    DumpProgramMissing,
    JobImpossible,
    JobNotFound,
    KeyNotFound,
    LoginRefused,
    MessageMissing,
    ModelsNotImportable,
    NotFound,
    PathNotAFolder,
    PathOutsideVolumes,
    PermissionMissing,
    PortBusy,
    ReasonMissing,
    RevisionsBroken,
    RevisionUnknown,
    ServerBinariesMissing,
    SettingsInvalid,
    TargetUnknown,
    UsageError,
    VolumeUnknown,
)

__all__ = [
    "BackupFailed",
    "BackupMissing",
    "CheckFailed",
    "CommitsByItself",
    "ConnectionLost",
    "CursorInvalid",
    "DataWouldBeLost",
    "DatabaseAhead",
    "DatabaseBehind",
    "DatabaseDiverged",
    "DatabaseDrifted",
    "DatabaseMissing",
    "DatabaseUnreachable",
    "DatabaseUrlInvalid",
    "DatabaseUrlMissing",
    "DiskFull",
    "DumpProgramMissing",
    "DuplicateRows",
    "IndexDiffers",
    "Interrupted",
    "JobActive",
    "JobFinal",
    "JobImpossible",
    "JobNotFound",
    "KeyMissing",
    "KeyNameTaken",
    "KeyNotFound",
    "KeyUnknown",
    "LedgerEdited",
    "LockBlocked",
    "LockFileStale",
    "LockTimeoutMissing",
    "LoginRefused",
    "LoopAlreadyRunning",
    "MessageMissing",
    "MixedRevision",
    "ModelsDiffer",
    "ModelsNotImportable",
    "MutexHeld",
    "NeverMigrated",
    "NotAdopted",
    "NotFound",
    "NotReady",
    "OfflineDiffers",
    "OfflineImpossible",
    "PathNotAFolder",
    "PathOutsideVolumes",
    "PermissionMissing",
    "PoolerRefused",
    "PortBusy",
    "ReadOnlyRefused",
    "ReasonMissing",
    "Refused",
    "RevisionEdited",
    "RevisionImports",
    "RevisionInserted",
    "RevisionMisnamed",
    "RevisionMissing",
    "RevisionUnknown",
    "RevisionUnsafe",
    "RevisionsBroken",
    "RoundTripDiffers",
    "RowsLost",
    "RowsMissing",
    "RowsRefused",
    "RunFailed",
    "SchemaNotCopied",
    "ScopeMissing",
    "ServerBinariesMissing",
    "ServerInUse",
    "ServerStartFailed",
    "ServicesAlive",
    "SettingsInvalid",
    "StampRefused",
    "StandbyRefused",
    "StatementCancelled",
    "StepNotPermitted",
    "TableLocked",
    "TargetMissed",
    "TargetUnknown",
    "Temporary",
    "TransactionAlreadyOpen",
    "UpgradeFailed",
    "UsageError",
    "VegafsError",
    "VolumeUnknown",
]
