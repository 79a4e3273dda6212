"""What connecting a page demands, put into words: abilities, what is missing for them, and what to do on the platform."""

from app.web.ui.marks import N_

ABILITY = {
    "see": N_("The page is visible to us"),
    "read": N_("Comments can be read"),
    "answer": N_("We may answer in the page's name"),
    "open": N_("Residents may comment"),
}
TOKEN_KIND = {
    "service": N_("service key"),
    "user": N_("token of a person"),
    "community": N_("key of a community"),
    "bot": N_("token of a bot"),
}
ABILITY_STATE = {"yes": N_("yes"), "no": N_("no"), "unclear": N_("not known yet")}

TOKENS_NEEDED = {
    "vk": N_(
        "To read: a service key, or the token of a person (VK shows comments to no community key). To answer: the community's own key "
        "with the right to the wall, or the token of a person who runs the community."
    ),
    "ok": N_(
        "To read and to answer: the token of a person who administers the group, of an application with the rights VALUABLE_ACCESS, "
        "GROUP_CONTENT and LONG_ACCESS_TOKEN."
    ),
    "telegram": N_(
        "To read and to answer: a bot in the channel's discussion group, as its administrator or with privacy mode switched off."
    ),
    "viber": N_(
        "To read and to answer: the token of the bot itself. Viber has no comments: it tells what people write to the bot, to one address "
        "and at once, or never. New bots are made by Viber for a fee."
    ),
    "max": N_("To read and to answer: a bot that administers the channel with the rights read_all_messages and write."),
}

# By platform and code, else by the code alone: what is missing and what to do about it.
CHECK_FIX = {
    "vk token_kind read": N_(
        "There is no service key and no person's token. Take the service key of your VK application (dev.vk.com, the application's "
        "settings) and have it stored: otklik credentials add --platform vk --kind service."
    ),
    "vk token_kind answer": N_(
        "There is no key of this community. In the community: Management → API usage → Create a key, with the right to the wall. "
        "Have it stored: otklik credentials add --platform vk --kind community --page …"
    ),
    "vk wall_right": N_("The key has no right to the wall. In the community: Management → API usage; make a new key with this right."),
    "vk comments_closed": N_(
        "The wall is closed or switched off. In the community: Management → Sections → Wall, choose “limited” or “open”."
    ),
    "telegram comments_closed": N_("The channel has no discussion group. In the channel: Edit → Discussion, link a group to it."),
    "telegram no_right": N_(
        "The bot does not hear the discussion group. Add it there as an administrator, or switch its privacy mode off at @BotFather "
        "(/setprivacy) and add it anew."
    ),
    "telegram token_kind": N_(
        "There is no bot yet. Make one at @BotFather and have it stored: otklik credentials add --platform telegram --kind bot."
    ),
    "max no_right": N_("The bot lacks a right. In the channel: Administrators → the bot, allow it to read all messages and to write."),
    "max token_kind": N_("There is no bot yet. Have its token stored: otklik credentials add --platform max --kind bot."),
    "viber token_kind": N_("The token of this bot is missing. Have it stored: otklik credentials add --platform viber --kind bot."),
    "viber gone": N_(
        "None of the stored tokens is that of this bot. Have its own stored: otklik credentials add --platform viber --kind bot."
    ),
    "no_webhook": N_(
        "Not told to us yet. Once the page is connected and private messages are switched on, whoever runs the server has it told: "
        "otklik hooks add."
    ),
    "ok token_kind": N_("There is no token yet. Have one stored: otklik credentials add --platform ok --kind user."),
    "ok no_right": N_(
        "The token's owner does not administer this group, or the application lacks a right. Make the owner an administrator."
    ),
    "reauthorise": N_("The token is not good any more. Make a new one and put it in its place: otklik credentials replace."),
    "token_kind": N_("A token of a fitting kind is missing: see otklik credentials add."),
    "no_right": N_("The token has no right there: give it to its owner on the platform."),
    "gone": N_("There is no such page, or it is shown to nobody. Check the address."),
    "not_a_page": N_(
        "This is the address of a person or of something else. Give the address of a community, group or channel of the platform that you "
        "chose."
    ),
    "comments_closed": N_("Comments are closed on the platform: nobody can write there until they are opened."),
    "captcha": N_("The platform wants to see a person: sign in as the token's owner and pass the check."),
    "validation": N_("The platform wants the token's owner to confirm who they are: sign in there."),
    "only_by_trying": N_("The platform says it only when the first answer is sent."),
    "not_told": N_("The platform does not tell."),
    "watched": N_("This page is watched already. An administrator moves it to another agency by otklik import pages."),
    "quota": N_("The day's quota of the platform is used up. Try again tomorrow."),
    "rate": N_("The platform asks us to wait. Try again in a minute."),
    "flood": N_("The platform asks us to wait. Try again in an hour."),
    "network": N_("The platform does not answer. Try again in a minute."),
    "server": N_("The platform does not answer. Try again in a minute."),
}
