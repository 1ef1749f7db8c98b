package importer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is a line of a format, and the request that it tells of.
type sample struct {
	name   string
	format Format
	line   string
	want   map[string]any
}

var samples = []sample{
	{"nginx, own names of variables", NginxJSON,
		`{"time_iso8601":"2015-05-17T12:05:03+02:00","remote_addr":"2001:db8::7","request":"GET /sport/a?b=c HTTP/2.0","status":"200","body_bytes_sent":"1234","http_host":"news.example","http_referer":"https://t.co/x","http_user_agent":"a \"b\" ü","request_time":"0.01"}`,
		map[string]any{"time": "2015-05-17T10:05:03Z", "ip": "2001:db8::7", "url": "https://news.example/sport/a?b=c", "method": "GET", "protocol": "HTTP/2.0", "status": 200.0, "bytes": 1234.0, "referrer": "https://t.co/x", "user_agent": `a "b" ü`}},
	{"nginx, the request in parts", NginxJSON,
		`{"msec":1431857103.25,"client_ip":"192.0.2.7","request_method":"POST","uri":"/x","status":302,"bytes_sent":0,"host":"","http_referer":"-","user_agent":"-"}`,
		map[string]any{"time": "2015-05-17T10:05:03.25Z", "ip": "192.0.2.7", "url": "/x", "method": "POST", "status": 302.0, "bytes": 0.0}},
	{"Caddy", CaddyJSON,
		`{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"192.0.2.9","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/a?b","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"],"Referer":["https://news.example/"]},"tls":{"resumed":false}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"]}}`,
		map[string]any{"time": "2022-03-09T21:30:01.524Z", "ip": "192.0.2.9", "url": "https://localhost/a?b", "method": "GET", "protocol": "HTTP/2.0", "status": 200.0, "bytes": 10900.0, "referrer": "https://news.example/", "user_agent": "curl/7.82.0"}},
	{"CloudFront", CloudFront,
		"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\thttps://a.example/%C3%BC\tMozilla/5.0%20(Windows%20NT%2010.0)\tq=%20x\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\tnews.example\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256\tHit\tHTTP/2.0\t-\t-",
		map[string]any{"time": "2019-12-04T21:02:31Z", "ip": "192.0.2.100", "url": "https://news.example/index.html?q=%20x", "method": "GET", "protocol": "HTTP/2.0", "status": 200.0, "bytes": 392.0, "referrer": "https://a.example/ü", "user_agent": "Mozilla/5.0 (Windows NT 10.0)"}},
	{"application load balancer", ELB,
		`https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 [2001:db8::1]:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`,
		map[string]any{"time": "2018-07-02T22:23:00.186Z", "ip": "2001:db8::1", "url": "https://www.example.com:443/a?b", "method": "GET", "protocol": "HTTP/1.1", "status": 200.0, "bytes": 57.0, "user_agent": "curl/7.46.0"}},
	{"classic load balancer", ELB,
		`2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 404 404 0 29 "GET http://www.example.com:80/ HTTP/1.1" "-" - -`,
		map[string]any{"time": "2015-05-13T23:39:43.945Z", "ip": "192.168.131.39", "url": "http://www.example.com:80/", "method": "GET", "protocol": "HTTP/1.1", "status": 404.0, "bytes": 29.0}},
	{"HAProxy behind syslog", HAProxy,
		`Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`,
		map[string]any{"time": "2009-02-06T12:14:14.655Z", "ip": "10.0.1.2", "url": "/index.html", "method": "GET", "protocol": "HTTP/1.1", "status": 200.0, "bytes": 2750.0}},
	{"HAProxy alone, with IPv6 and a bad request", HAProxy,
		`2001:db8::7:33320 [06/Feb/2009:12:14:15.001] web~ web/<NOSRV> -1/-1/-1/-1/0 400 187 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"`,
		map[string]any{"time": "2009-02-06T12:14:15.001Z", "ip": "2001:db8::7", "status": 400.0, "bytes": 187.0}},
}

// TestFormats reads a line of each format.
func TestFormats(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			tr := requestEvents{parser: Parser{Format: s.format}, typ: "request"}
			out, skip, err := tr.translate(nil, []byte(s.line))
			if err != nil || skip {
				t.Fatalf("%v, skipped %v", err, skip)
			}
			var got map[string]any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			got["time"] = time.UnixMilli(int64(got["time"].(float64))).UTC().Format(time.RFC3339Nano)
			for name, value := range got["properties"].(map[string]any) {
				got[name] = value
			}
			for _, name := range []string{"properties", "id", "type"} {
				delete(got, name)
			}
			if d := cmp.Diff(s.want, got); d != "" {
				t.Error(d)
			}
			found, err := detect([]byte(s.line + "\n"))
			if err != nil || found != s.format {
				t.Errorf("detected as %v, %v", found, err)
			}
		})
	}
}

// TestCloudFrontHeader takes the order of fields from the head of a file, whose
// lines are no requests.
func TestCloudFrontHeader(t *testing.T) {
	p, e := Parser{Format: CloudFront}, Entry{}
	for _, line := range []string{"#Version: 1.0", "#Fields: time date c-ip cs-method cs-uri-stem sc-status"} {
		if err := p.Parse([]byte(line), &e); !errors.Is(err, errNoRequest) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := p.Parse([]byte("21:02:31\t2019-12-04\t192.0.2.1\tGET\t/a\t304"), &e); err != nil || string(e.IP) != "192.0.2.1" || string(e.Target) != "/a" || e.Status != 304 || e.Bytes != -1 || e.Time != 1575493351000 {
		t.Errorf("%+v, %v", e, err)
	}
	head := "#Version: 1.0\n#Fields: time date c-ip cs-method cs-uri-stem sc-status\n21:02:31\t2019-12-04\t192.0.2.1\tGET\t/a\t304\n"
	if f, err := detect([]byte(head)); err != nil || f != CloudFront {
		t.Errorf("detected as %v, %v", f, err)
	}
}

// TestBrokenFormats refuses each sample that is cut anywhere before its end is
// reached, or reads it without a panic.
func TestBrokenFormats(t *testing.T) {
	for _, s := range samples {
		for n := range len(s.line) {
			p, e := Parser{Format: s.format}, Entry{}
			_ = p.Parse([]byte(s.line[:n]), &e)
			_ = p.Parse([]byte(strings.Replace(s.line, " ", "\t", 1)), &e)
		}
		for _, line := range []string{"", "{}", "{", `{"ts":"x","request":7}`, `{"time":[],"request":{}}`, "#", "\t\t", "- - -", "[", " ["} {
			p, e := Parser{Format: s.format}, Entry{}
			if err := p.Parse([]byte(line), &e); err == nil {
				t.Errorf("%s reads %q as %+v", s.format, line, e)
			}
		}
	}
}
