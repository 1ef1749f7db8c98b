# Varnish asks Readership before it serves an article, which it keeps whole: the
# first pass of a request asks, the second serves. Fastly's VCL works the same way.
#
# Change what is yours: the site "news" and its access block "story", where articles
# are, and the two addresses. The site's trusted_proxies have to name this server. Say
# `counts: request` in the access block.

vcl 4.1;

backend readership { .host = "127.0.0.1"; .port = "8080"; .connect_timeout = 0.25s; .first_byte_timeout = 1s; }
backend cms        { .host = "127.0.0.1"; .port = "3000"; }

sub vcl_recv {
    if (req.restarts == 0) {
        # The CMS believes what X-Readership-* says, so none comes from outside.
        unset req.http.X-Readership-Decision;
        unset req.http.X-Readership-Clause;
        unset req.http.X-Readership-Offer;
        unset req.http.X-Readership-Meter;
        unset req.http.X-Readership-Decision-Id;
        unset req.http.X-Readership-Reader;
        unset req.http.X-Readership-Segments;
        unset req.http.X-Readership-Fallback;
        unset req.http.X-Readership-Counts;
        unset req.http.X-Forwarded-Uri;
        unset req.http.X-RS-Page;
        unset req.http.X-RS-Cookie;

        # What origins may read as the address of an article, and the line below does
        # not: dots, two slashes, parameters, and letters, digits or slashes that are
        # encoded before its folder ends.
        if (req.url ~ "(?i)^[^?]*([/\\]|%2f|%5c)(\.|%2e){1,2}([/\\;?]|%2f|%5c|$)" || req.url ~ "^[^?]*//" ||
            req.url ~ "(?i)^/[^/?]*([;\\]|%2[def]|%3[0-9b]|%[4-7][0-9a-f])") {
            return (synth(400));
        }

        # Articles, and nothing else: pictures, scripts and front pages do not count.
        if (req.url ~ "^/articles/") {
            if (req.method != "GET" && req.method != "HEAD") {
                return (synth(405)); # a body could not be sent twice
            }
            set req.http.X-RS-Page = req.url;
            set req.http.X-Original-URI = req.url;
            set req.url = "/v1/sites/news/auth?access=story&mode=forward";
            set req.backend_hint = readership;
            return (pass);
        }
    } elsif (req.http.X-RS-Page) {
        set req.url = req.http.X-RS-Page;
    }
    set req.backend_hint = cms;
    unset req.http.X-Original-URI;
    if (req.http.X-RS-Page) {
        unset req.http.Cookie; # the article is the same for everybody who may read it
        return (hash);
    }
}

sub vcl_deliver {
    if (req.http.X-RS-Page && req.restarts == 0) {
        # 200: the page may be served. 5xx: Readership is away, articles are open.
        if (resp.status == 200 || resp.status >= 500) {
            set req.http.X-RS-Cookie = resp.http.Set-Cookie;
            set req.http.X-Readership-Decision = resp.http.X-Readership-Decision;
            return (restart);
        }
        unset resp.http.X-Readership-Reader; # the reader need not know
        unset resp.http.X-Readership-Segments;
        return (deliver); # the wall
    }
    if (req.http.X-RS-Page) {
        # No cache behind this one may give the page to others.
        set resp.http.Cache-Control = "private, no-cache";
        unset resp.http.Set-Cookie;
        if (req.http.X-RS-Cookie ~ ".") {
            set resp.http.Set-Cookie = req.http.X-RS-Cookie;
        }
    }
}

sub vcl_synth {
    # Readership cannot be reached at all.
    if (req.http.X-RS-Page && req.restarts == 0 && resp.status == 503) {
        return (restart);
    }
}
