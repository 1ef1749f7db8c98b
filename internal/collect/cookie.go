package collect

import (
	"fmt"
	"strings"
)

// CookieName is the cookie that proves which device a browser is, and
// DeviceHeader the header by which an app does: identity.Devices signs both.
const (
	CookieName   = "rsid"
	DeviceHeader = "X-Readership-Device"
)

// cookieMaxAge is how long a browser keeps the cookie: 13 months of 30 days and
// 5 days, in seconds.
const cookieMaxAge = 395 * 24 * 60 * 60

// setCookie is the Set-Cookie header of a value. Over TLS the cookie also
// reaches collectors on another site than the page's.
func setCookie(value string, secure bool) string {
	if secure {
		return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=None", CookieName, value, cookieMaxAge)
	}
	return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", CookieName, value, cookieMaxAge)
}

// CookieValue finds a cookie in a Cookie header, "" if it has none of the name.
func CookieValue(header, name string) string {
	for header != "" {
		var pair string
		pair, header, _ = strings.Cut(header, ";")
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
