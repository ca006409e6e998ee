"""${page.title(message or "Without a name")}

${page.of(up_revision).why}

${page.line("Locks", page.of(up_revision).locks)}
${page.line("Undo", page.of(up_revision).undo)}
"""
<%
by_hand = not isinstance(down_revision, (list, tuple))
lines = page.imports(imports, upgrades, downgrades, by_hand=by_hand)
%>\
% if lines:

% endif
% for line in lines:
${line}
% endfor

revision = ${page.literal(up_revision)}
down_revision = ${page.literal(down_revision)}
phase = ${page.literal(page.of(up_revision).phase)}
% if page.of(up_revision).phase == "contract":
# The oldest revision whose code works after this one; without it no older build does.
# requires_code = ${page.literal(down_revision)}
% endif
% if page.of(up_revision).requires_backfill:
requires_backfill = ${page.literal(page.of(up_revision).requires_backfill)}
% endif
% if branch_labels:
branch_labels = ${page.literal(branch_labels)}
% endif
% if depends_on:
depends_on = ${page.literal(depends_on)}
% endif


def upgrade() -> None:
    ${page.body(upgrades)}


def downgrade() -> None:
    ${page.body(downgrades)}
