package lsp

// words are what the words of the language mean, by the word.
var words = map[string]string{
	"let": "names a value, a stream or, with parameters, a function", "segment": "names a group of readers: those for whom the condition holds",
	"meter": "counts the articles that an access block has let through on it", "access": "decides what a reader may read: the first clause that holds",
	"metric": "names a number over all readers of the site", "test": "tells the story of one reader, and what is expected of it", "use": "takes in another file of the program",
	"events": "the reader's rows inside the site's window, in order of time; in a metric those of all readers", "all_events": "as `events`, robots included", "burns": "the articles that were let through on the meter",
	"now": "the instant that is asked about",
	"if":  "chooses by a condition; behind a clause: when it holds", "then": "what holds if so; as a stage: rows of a stream that follow a row within a time", "else": "what holds if not",
	"and": "both hold", "or": "one of both holds", "not": "does not hold", "in": "is an element of a list, or an article in a meter", "has": "is not missing", "true": "always holds", "false": "never holds",

	"where": "keeps the rows for which a condition holds", "last": "keeps the rows of a time up to now: `last 14d`", "since": "keeps the rows from an instant on: `since 2026-03-01`",
	"per": "keeps the rows of the calendar's day, week or month that now is in", "from_first": "of `burns`: a window that the first one opens", "distinct": "keeps the earliest row of each key",
	"within": "says how soon one row follows another", "unless": "keeps rows that no row of a stream follows within a time", "by": "counts for each key; in metrics",
	"count": "the number of rows", "any": "whether there is a row", "none": "whether there is no row", "sum": "the sum over the rows", "avg": "the mean over the rows", "min": "the least", "max": "the greatest",
	"first": "the value of the earliest row that has one", "latest": "the value of the latest row that has one",
	"day": "from midnight in the site's time zone", "week": "from the first day of the site's week", "month": "from the first of the month",

	"allow": "lets the reader through", "deny": "stops the reader", "charge": "asks a price (HTTP 402)", "price": "what a clause charges: `price 0.002 EUR`", "offers": "the page that is shown",
	"limit": "how many articles there are in a period", "merge": "what counts after a login: `union`, `max` or `account`", "sticky": "whether the limit of the first article holds until the window ends",
	"counts": "when an article counts: `request`, `rendered`, `engaged 10s` or `scroll 50`", "fails": "what holds without an answer in time: `open` or `closed`", "deadline": "how long an answer may take: `50ms`",

	"site": "settings of the test's site", "item": "in a test: an article of its catalogue; else the article", "reader": "in a test: what is known of its reader; else the reader",
	"at": "when something happens", "read": "the reader opens articles, and a decision is committed for each", "event": "the reader sends an event", "login": "the reader proves an account", "logout": "the proof is gone",
	"expect": "what is expected to hold", "through": "the access block that decides",
}

// names are what names mean that every program has, as they are written.
var names = map[string]string{
	"type": "what happened: `page_view`, `conversion`, …", "time": "when it happened", "day": "when its day began", "week": "when its week began", "month": "when its month began",
	"device": "the device that sent it", "account": "the account that it names", "view": "id of the page view", "visit": "its visit; as a key of `distinct` only", "starts_visit": "whether it is the first of its visit",
	"engaged_seconds": "seconds in which the page was visible and the reader active", "scroll_percent": "the greatest share of the page's height that was seen, percent",
	"value": "of a conversion, in its currency", "currency": "of a conversion", "url": "address of the page", "host": "host of the page", "path": "path of the page", "title": "title of the page",
	"referrer": "address that the reader came from", "referrer_host": "host that the reader came from", "channel": "how the reader came: search, social, direct, …",
	"utm_source": "of the campaign", "utm_medium": "of the campaign", "utm_campaign": "of the campaign", "country": "two letters", "region": "of the country", "city": "of the reader's address", "language": "of the browser",
	"device_class": "kind of device", "browser": "name of the browser", "os": "operating system", "bot_class": "kind of robot; missing for people", "bot_operator": "who runs the robot; missing for people",

	"item.id": "its id in the catalogue", "item.url": "its address", "item.aliases": "its other addresses", "item.kind": "such as `article`", "item.title": "its title", "item.section": "its section", "item.tags": "its tags", "item.authors": "its authors",
	"item.tier": "such as `free` or `metered`", "item.published_at": "when it was published", "item.updated_at": "when it was changed", "item.language": "its language", "item.image": "address of its image", "item.region": "its region",
	"item.attributes": "what else the catalogue says of it",

	"reader.registered": "whether an account is proven", "reader.entitled": "whether the reader has an entitlement, grace included", "reader.entitled_by": "by what: `account`, `token`, `grace`, `address`, `domain` or `seat`",
	"reader.traits": "what is known of the account", "reader.first_seen": "time of the reader's first event",
	"request.item": "the article asked for", "request.preview": "whether a valid preview link was used", "request.gift": "whether a valid gift link was used", "request.newsletter": "whether a valid newsletter link was used",
	"bot.verified": "whether the robot is who it says", "bot.class": "kind of robot; missing for people", "bot.operator": "who runs the robot; missing for people",
	"used": "how many articles are in the meter", "left": "limit less used, and never less than 0", "resets_at": "when `used` falls next; missing while it is 0",

	"item": "the article: of the row inside of stages, else the one asked for", "reader": "who reads: proven, never claimed", "request": "what is asked for, and how", "bot": "whether a robot asks", "properties": "what the event says beside its columns",

	"lower": "`lower(text)`: in small letters", "contains": "`contains(text, part)`", "starts_with": "`starts_with(text, part)`", "ends_with": "`ends_with(text, part)`", "matches": "`matches(text, pattern)`: RE2",
	"hour": "`hour(time)`: 0 to 23, in the site's time zone", "weekday": "`weekday(time)`: 1, a Monday, to 7", "size": "`size(text)` or `size(list)`", "arm": "`arm(name, n)`: which of n arms of an experiment the reader is in, from 0",
}

// known are values that names can have on every site.
var known = map[string][]string{
	"type":               {"page_view", "click", "impression", "conversion", "identify", "request", "wall_shown", "plans_opened", "checkout_started", "subscribed"},
	"reader.entitled_by": {"account", "token", "grace", "address", "domain", "seat"},
	"week_start":         {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
}
