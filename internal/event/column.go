package event

// Column numbers the built-in string columns. The numbers are part of the log
// format: append, never renumber.
type Column uint8

// The built-in string columns. ColReferrer is the whole address as sent, the
// others derive from it, from the URL, or from enrichment at the edge.
const (
	ColType Column = iota
	ColItem
	ColURL
	ColHost
	ColPath
	ColTitle
	ColReferrer
	ColReferrerHost
	ColUTMSource
	ColUTMMedium
	ColUTMCampaign
	ColChannel
	ColCountry
	ColRegion
	ColCity
	ColDeviceClass
	ColBrowser
	ColOS
	ColLanguage
	ColBotClass
	ColBotOperator
	ColAccount
	ColCurrency
	NumColumns
)

// columnNames are the names of the columns in queries, Rubric and exports.
var columnNames = [NumColumns]string{
	ColType: "type", ColItem: "item", ColURL: "url", ColHost: "host", ColPath: "path",
	ColTitle: "title", ColReferrer: "referrer", ColReferrerHost: "referrer_host",
	ColUTMSource: "utm_source", ColUTMMedium: "utm_medium", ColUTMCampaign: "utm_campaign",
	ColChannel: "channel", ColCountry: "country", ColRegion: "region", ColCity: "city",
	ColDeviceClass: "device_class", ColBrowser: "browser", ColOS: "os", ColLanguage: "language",
	ColBotClass: "bot_class", ColBotOperator: "bot_operator", ColAccount: "account",
	ColCurrency: "currency",
}

// String returns the column's name, as queries write it.
func (c Column) String() string { return columnNames[c] }

// ColumnByName finds a built-in column by its name.
func ColumnByName(name string) (Column, bool) {
	for c, n := range columnNames {
		if n == name {
			return Column(c), true
		}
	}
	return 0, false
}
