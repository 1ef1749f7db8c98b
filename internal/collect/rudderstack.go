package collect

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/readership/readership/internal/jsontext"
)

const nameRudderStack = "rudderstack"

// rudderstack speaks to the trackers of RudderStack. Their messages are
// Segment's, and most of them go where Segment's go (segment.go).
var rudderstack = dialect{name: nameRudderStack, routes: []route{
	{http.MethodPost, "/beacon/v1/batch", (*foreign).rudderBeacon},
	{http.MethodGet, "/pixel/v1/track", func(x *foreign) { x.rudderPixel("track", "event", "pixel_track") }},
	{http.MethodGet, "/pixel/v1/page", func(x *foreign) { x.rudderPixel("page", "name", "Unknown Page") }},
}, stubs: []route{
	{http.MethodGet, "/sourceConfig", (*foreign).rudderConfig},
	{http.MethodGet, "/sourceConfig/", (*foreign).rudderConfig},
}}

// rudderKey is the write key, in the query or, as user, in Basic authorization.
func (x *foreign) rudderKey() string {
	if key := x.asked.get("writeKey"); key != "" {
		return key
	}
	return x.basicUser()
}

// rudderBeacon answers a batch that a page sends when it is left.
func (x *foreign) rudderBeacon() {
	from := x.siteOfKey("writeKey", x.rudderKey())
	x.belongs(from)
	if doc, ok := x.json(); ok {
		x.messages(from, doc, doc.get("batch"), "")
	}
}

// rudderPixel answers a message whose members are parameters; those of inner
// objects have the path to them as name. Without a name it has the one that
// RudderStack gives it.
func (x *foreign) rudderPixel(call, member, name string) {
	from := x.siteOfKey("writeKey", x.rudderKey())
	if !from.known() {
		x.unknownKey("writeKey")
		return
	}
	members := nested(x.asked)
	if members[member] == nil {
		members[member] = name
	}
	source, err := json.Marshal(members)
	if err != nil {
		panic("collect: texts are not JSON: " + err.Error())
	}
	doc, _, _ := x.parse(&x.tree, text(source))
	x.message(from, doc, call, "")
	x.answerGIF()
}

// nested makes objects of parameters: a.b=c stands for {"a":{"b":"c"}}.
func nested(p params) map[string]any {
	root := map[string]any{}
	for _, parameter := range p {
		path := strings.SplitN(parameter.name, ".", maxFlat)
		at := root
		for _, name := range path[:len(path)-1] {
			inner, ok := at[name].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[name] = inner
			}
			at = inner
		}
		at[path[len(path)-1]] = parameter.value
	}
	return root
}

// rudderConfig answers what a browser's tracker asks before anything else: that
// the source is there, feeds nothing from the browser and reports nothing of
// itself.
func (x *foreign) rudderConfig() {
	key := x.rudderKey()
	from := x.siteOfKey("writeKey", key)
	if !from.known() {
		x.unknownKey("writeKey")
		return
	}
	x.out.Status, x.out.ContentType = http.StatusOK, "application/json"
	b := x.out.Body
	for _, member := range []struct{ before, text string }{
		{`{"source":{"id":`, from.site.ID}, {`,"name":`, from.site.ID}, {`,"workspaceId":`, from.site.ID}, {`,"writeKey":`, key},
	} {
		b = jsontext.Append(append(b, member.before...), member.text)
	}
	x.out.Body = append(b, `,"enabled":true,"connections":[],"destinations":[],"dataplanes":{},`+
		`"config":{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}}}}`...)
}
