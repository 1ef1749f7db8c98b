package enrich

import "strings"

// The classes of devices.
const (
	DeviceDesktop  = "desktop"
	DeviceMobile   = "mobile"
	DeviceTablet   = "tablet"
	DeviceTV       = "tv"
	DeviceConsole  = "console"
	DeviceWearable = "wearable"
)

// deviceMarks are parts of agents that name a class, in the order in which they
// are looked for.
var deviceMarks = []struct{ mark, class string }{
	{"Tablet PC", DeviceDesktop}, // a service of Windows
	{"SmartTV", DeviceTV}, {"SMART-TV", DeviceTV}, {"Smart TV", DeviceTV}, {"HbbTV", DeviceTV}, {"AppleTV", DeviceTV}, {"Apple TV", DeviceTV},
	{"GoogleTV", DeviceTV}, {"Android TV", DeviceTV}, {"BRAVIA", DeviceTV}, {"CrKey", DeviceTV}, {" AFT", DeviceTV}, {"Roku", DeviceTV}, {"NetCast", DeviceTV},
	{"PlayStation", DeviceConsole}, {"PLAYSTATION", DeviceConsole}, {"Nintendo", DeviceConsole}, {"Xbox", DeviceConsole}, {"XBOX", DeviceConsole},
	{"iPad", DeviceTablet}, {"Tablet", DeviceTablet}, {"tablet", DeviceTablet}, {"PlayBook", DeviceTablet}, {"Kindle", DeviceTablet}, {"TouchPad", DeviceTablet},
	{"iPhone", DeviceMobile}, {"iPod", DeviceMobile},
}

// systemClasses are what runs operating systems, by family of uap-core.
var systemClasses = map[string]string{
	"Windows": DeviceDesktop, "Mac OS X": DeviceDesktop, "Mac OS": DeviceDesktop, "Chrome OS": DeviceDesktop, "Linux": DeviceDesktop,
	"Ubuntu": DeviceDesktop, "Debian": DeviceDesktop, "Fedora": DeviceDesktop, "Red Hat": DeviceDesktop, "SUSE": DeviceDesktop, "CentOS": DeviceDesktop,
	"Gentoo": DeviceDesktop, "Arch Linux": DeviceDesktop, "Linux Mint": DeviceDesktop, "Slackware": DeviceDesktop, "Kubuntu": DeviceDesktop,
	"Mandriva": DeviceDesktop, "Puppy": DeviceDesktop, "FreeBSD": DeviceDesktop, "OpenBSD": DeviceDesktop, "NetBSD": DeviceDesktop, "Solaris": DeviceDesktop,
	"iOS": DeviceMobile, "Windows Phone": DeviceMobile, "Windows Mobile": DeviceMobile, "Windows CE": DeviceMobile, "BlackBerry OS": DeviceMobile,
	"Symbian OS": DeviceMobile, "Symbian^3": DeviceMobile, "Symbian^3 Anna": DeviceMobile, "Symbian^3 Belle": DeviceMobile, "Nokia Series 40": DeviceMobile,
	"Nokia Series 30 Plus": DeviceMobile, "Firefox OS": DeviceMobile, "KaiOS": DeviceMobile, "Bada": DeviceMobile, "Maemo": DeviceMobile,
	"MeeGo": DeviceMobile, "Brew MP": DeviceMobile, "BREW": DeviceMobile, "HarmonyOS": DeviceMobile, "MRE": DeviceMobile,
	"WatchOS": DeviceWearable, "tvOS": DeviceTV, "ATV OS X": DeviceTV, "GoogleTV": DeviceTV, "Roku": DeviceTV, "WebTV": DeviceTV, "Chromecast": DeviceTV,
	"Chromecast Linux": DeviceTV, "Chromecast Android": DeviceTV, "Chromecast Fuchsia": DeviceTV, "Chromecast SmartSpeaker": DeviceTV, "webOS": DeviceTV,
}

// deviceOf returns the class of the device that an agent names, "" if it names
// none. An iPad that asks for desktop pages says it is a Mac, and is taken for
// one.
func deviceOf(text, os string) string {
	for _, m := range deviceMarks {
		if strings.Contains(text, m.mark) {
			return m.class
		}
	}
	switch os {
	case "":
		if strings.Contains(text, "Mobile") || strings.Contains(text, "MIDP") {
			return DeviceMobile
		}
		return ""
	case "Android", "Tizen", "Fire OS": // browsers on phones say Mobile, on tablets they do not
		switch {
		case strings.Contains(text, "Mobile"), strings.Contains(text, "Mini"):
			return DeviceMobile
		case strings.Contains(text, "TV"):
			return DeviceTV
		case strings.Contains(text, "Mozilla/"):
			return DeviceTablet
		}
		return DeviceMobile // an app names no class
	}
	return systemClasses[os]
}
