package collect

import (
	"encoding/base64"
	"strings"
)

// Bits of the core segment of an IAB TCF v2 consent string, from its start:
// version 6, created 36, updated 36, CMP 12, its version 12, screen 6, language
// 12, vendor list 12, policy 6, two flags 2, special features 12, then the
// consents of purposes 1 to 24.
const (
	tcfPurposes = 152
	tcfBytes    = (tcfPurposes + 24) / 8
	tcfLetters  = (tcfBytes*8 + 5) / 6
)

// Purposes that measuring a page takes: 1 storing or reading information on a
// device, 8 measuring the performance of content.
const (
	tcfStorage  = 1
	tcfMeasured = 8
)

// tcfConsent says whether a TCF v2 string consents to analytics. ok is false if
// it is not one.
func tcfConsent(s string) (consents, ok bool) {
	core, _, _ := strings.Cut(s, ".")
	core = strings.TrimRight(core, "=")
	if len(core) < tcfLetters || len(core) > 8192 {
		return false, false
	}
	var raw [tcfBytes]byte
	n, err := base64.RawURLEncoding.Decode(raw[:], bytesOf(core[:tcfLetters]))
	if err != nil || n < tcfBytes || raw[0]>>2 != 2 {
		return false, false
	}
	purpose := func(p int) bool {
		bit := tcfPurposes + p - 1
		return raw[bit/8]>>(7-bit%8)&1 == 1
	}
	return purpose(tcfStorage) && purpose(tcfMeasured), true
}
