"""Every table of the program, in one metadata: for migrations and for the drift test."""

from __future__ import annotations

import app.appeals.models
import app.audit.models
import app.directory.models
import app.media.models
import app.notices.models
import app.people.models
import app.privacy.models
import app.replies.models
import app.reports.models
import app.sla.models
import app.sources.models
import app.triage.models
from app.kernel.db import Base

metadata = Base.metadata
