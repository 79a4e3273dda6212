"""What can go wrong, in words that say what to do. Keys are the codes of the errors; see `labels`."""

from __future__ import annotations

from app.web.ui.marks import N_

# What a connector says about an answer that did not go out: the codes of `connectors/README.md`.
REPLY_PROBLEM = {
    "gone": N_("The comment or the post is no longer there, so the answer has nowhere to stand."),
    "comments_closed": N_("Comments are closed there. Open them on the platform, or answer by other means."),
    "denied": N_("The platform does not let the page answer there: the author may have closed comments to it."),
    "restricted": N_("The platform has restricted the page. Its owner has to look into it on the platform."),
    "links_forbidden": N_("Links are not allowed there. Take the link out and send the answer again."),
    "too_long": N_("The answer is too long for the platform. Shorten it and send it again."),
    "bad_text": N_("The platform does not take this text. Change it and send it again."),
    "bad_request": N_("The platform refused the answer. Change the text and send it again."),
    "moved": N_("The page's discussion has moved. Ask the coordinator to connect the page again; the answer is kept."),
    "no_right": N_(
        "The page's token may not write there. Ask the coordinator to connect the page again; the answer is kept."
    ),
    "token_kind": N_(
        "The page has no token that may write. Ask the coordinator to connect the page again; the answer is kept."
    ),
    "reauthorise": N_(
        "The page's access has expired. Ask the coordinator to connect the page again; the answer is kept."
    ),
    "app_off": N_("The platform has switched our access off. Ask the administrator; the answer is kept."),
    "captcha": N_(
        "The platform wants to see a person. Ask the coordinator to sign in to the page; the answer is kept."
    ),
    "validation": N_("The platform wants the page's owner to confirm who they are; the answer is kept."),
    "rate": N_("The platform asks us to wait. The answer will go out by itself."),
    "flood": N_("The platform asks us to wait. The answer will go out by itself."),
    "quota": N_("The platform asks us to wait. The answer will go out by itself."),
    "network": N_("The connection broke while the answer was being published. Look at the post before you decide."),
    "interrupted": N_("We were interrupted while the answer was being published. Look at the post before you decide."),
}

REPLY_ADVICE = {
    "failed": N_("The platform did not take the answer."),
    "uncertain": N_("It may or may not stand on the platform. Look at the post before you decide."),
    "queued": N_("The last attempt did not work. The answer will go out by itself."),
}

SIGN_IN = {
    "wrong": N_("This sign-in and password do not match. Check the keyboard layout and Caps Lock."),
    "too_many": N_("Too many attempts. Please wait a few minutes and try again."),
    "ended": N_("You were signed out. Please sign in again; drafts on this computer are kept."),
    "out": N_("You have signed out."),
    "old": N_("The page had grown old. Please try once more."),
}

PROBLEM_ADVICE = {
    "403": N_("This belongs to another agency or needs another role. Ask your coordinator if you need it."),
    "404": N_("The address may be old, or the appeal belongs to another agency."),
    "409": N_(
        "While you were reading, a colleague or the citizen changed it. Open it again and look before you decide."
    ),
    "422": N_("Go back and check what you entered."),
    "429": N_("Please wait a little and try again."),
    "500": N_("Nothing was sent twice. Try again; if it happens again, tell your administrator the number below."),
    "503": N_("Please try again in a minute."),
}

PROBLEM = {
    "403": N_("You may not do this"),
    "404": N_("There is no such page"),
    "409": N_("Something has changed meanwhile"),
    "422": N_("Something is missing"),
    "429": N_("Too many requests"),
    "500": N_("Something broke on our side"),
    "503": N_("The service is starting or being updated"),
}

# What keeps a page from being read: the codes of `connectors/README.md`.
FEED_PROBLEM = {
    "no_right": N_("The token has no right to read there"),
    "token_kind": N_("A token of another kind is needed"),
    "reauthorise": N_("The access has expired: connect the page again"),
    "app_off": N_("The platform has switched our access off"),
    "captcha": N_("The platform wants to see a person: sign in to the page"),
    "validation": N_("The platform wants the owner to confirm who they are"),
    "restricted": N_("The platform has restricted the page"),
    "gone": N_("The page is no longer there"),
    "denied": N_("The page is closed to us"),
    "moved": N_("The discussion has moved: connect the page again"),
    "rate": N_("The platform asks us to wait"),
    "flood": N_("The platform asks us to wait"),
    "quota": N_("The day's quota of the platform is used up"),
    "network": N_("The platform does not answer"),
    "server": N_("The platform does not answer"),
    "conflict": N_("Another program reads with the same token"),
}

# Our own errors, by their codes.
FAULT = {
    "access.permission": N_("Your role does not allow this."),
    "access.scope": N_("This agency is outside your scope."),
    "appeal.agency": N_("Choose an agency from the list."),
    "appeal.answer_under_way": N_("An answer is on its way to the platform. Wait for it, or settle it first."),
    "appeal.comment_deleted": N_("The citizen has deleted the comment: there is nothing to answer under."),
    "appeal.newer": N_("A newer appeal of the same author is open in this thread. Work on that one."),
    "appeal.no_comment": N_("There is no comment to answer under. Answer by other means and close the appeal."),
    "appeal.same_agency": N_("The appeal is with this agency already. Choose another one."),
    "appeal.state": N_("This cannot be done any more: the appeal is in another state now."),
    "appeal.topic": N_("Choose a topic from the list."),
    "appeal.unanswered": N_("Answer the citizen first, or say that it is impossible to answer on the platform."),
    "appeal.unknown": N_("There is no such appeal, or it belongs to another agency."),
    "appeal.version": N_("Something has changed while you were reading. Look at it as it is now, then decide."),
    "comment.unknown": N_("There is no such comment, or it belongs to another agency."),
    "invitation.gone": N_("This invitation was used or has expired. Ask the administrator for a new one."),
    "reply.decision": N_("Say whether the answer was found, should be sent again, or should not be sent."),
    "reply.state": N_("The answer has moved on meanwhile. Look at it as it is now."),
    "reply.unknown": N_("There is no such answer, or it belongs to another agency."),
    "report.period": N_(
        "This period cannot be counted. The first day must not be later than the last; ten years at most."
    ),
    "report.as_of": N_("Give a moment that has passed."),
    "report.time_zone": N_("There is no such time zone."),
    "sign_in.refused": N_("This sign-in and password do not match. Check the keyboard layout and Caps Lock."),
    "sign_in.wait": N_("Too many attempts. Please wait a few minutes and try again."),
    "text.empty": N_("Write something first."),
    "text.long": N_("The text has %(length)s characters, %(limit)s fit. Shorten it."),
    "triage.agency": N_("Choose the agency that will answer."),
    "triage.decided": N_("A colleague has decided about this comment already."),
    "triage.kind": N_("Choose why it needs no answer."),
    "csrf": N_("The page is too old to act from. Load it again; what you wrote is kept."),
    "access.refused": N_("This belongs to another agency or needs another role."),
    "appeal.future": N_("This moment lies in the future. Check the date and the time."),
    "appeal.no_rule": N_("No rule says who answers about this. Choose the agency yourself."),
    "appeal.place": N_("Choose the agency that will answer."),
    "appeal.reason": N_("Choose a reason from the list."),
    "appeal.written": N_("Give a date and a time."),
    "body.json": N_("The request could not be read."),
    "busy": N_("Too much at once. Try again in a moment."),
    "cursor": N_("This place in the list is gone. Open the list anew."),
    "directory.circle": N_("The directory goes round in a circle. Tell the administrator."),
    "feed.lease": N_("Another process reads this page just now."),
    "http.404": N_("There is nothing at this address."),
    "http.405": N_("This address is not meant to be used like this."),
    "http.413": N_("This is too large to be taken. Shorten it."),
    "idempotency.key": N_("The form is damaged. Load the page again; what you wrote is kept."),
    "idempotency.other": N_("This form was sent already, with another text. Load the page again and look before you decide."),
    "limit": N_("So many lines cannot be shown at once."),
    "operator.login": N_("This sign-in name cannot be used. Choose another one."),
    "operator.name": N_("Give the person's name."),
    "operator.service": N_("This sign-in belongs to a service, not to a person."),
    "password.differs": N_("The two passwords differ. Type them once more."),
    "password.known": N_("This password is among the first that are guessed. Choose another one."),
    "password.login": N_("The password must not contain the sign-in name."),
    "password.long": N_("The password may have at most %(most)s characters."),
    "password.short": N_("The password is too short: at least %(least)s characters."),
    "preferences.locale": N_("The screens speak Russian and English."),
    "report.buckets": N_("Too many points for one chart. Choose weeks or months."),
    "report.cursor": N_("This place in the report is gone. Open the report anew."),
    "report.grouping": N_("Choose a grouping from the list."),
    "report.limit": N_("So many lines cannot be shown at once."),
    "request.invalid": N_("Something in the form is missing or wrong."),
    "request.version": N_("The form is damaged. Load the page again; what you wrote is kept."),
    "sign_in": N_("You are not signed in."),
    "text.unstorable": N_("The text has characters that cannot be stored."),
    "token": N_("The token is unknown, has expired or was revoked."),
    "token.name": N_("Give the service a name."),
    "triage.edited": N_("The citizen has edited the comment meanwhile. Read it again, then decide."),
    "unavailable": N_("The database does not answer. Please try again in a minute."),
    "unexpected": N_("Something broke on our side. Nothing was sent twice."),
}
