# Varnish asks Readership before it serves an article, which it keeps whole: the
# first pass of a request asks, the second serves. Varnish 6 or newer; Fastly's VCL
# works the same way.
#
# Change what is yours: the site "news" and its access block "story", where articles
# are, and the two addresses. The site's trusted_proxies have to name this server.
#
# Say `counts: request` in the access block: Varnish cannot tell Readership that a
# page was shown. With `counts: rendered` a page counts when the tracker, served from
# below, sees it; of readers without consent none does, since a page that is kept for
# all cannot say whose decision it is.
#
# The CMS is asked once for all readers: without their cookies, and told nothing but
# that the page may be read.

vcl 4.1;

import std;

backend readership { .host = "127.0.0.1"; .port = "8080"; .connect_timeout = 0.25s; }
backend cms        { .host = "127.0.0.1"; .port = "3000"; }

# The CMS believes what X-Readership-* says, so none comes from outside; some take an
# underscore for a dash.
sub readership_strip {
    unset req.http.X-Readership-Decision; unset req.http.X-Readership_Decision; unset req.http.X_Readership-Decision; unset req.http.X_Readership_Decision;
    unset req.http.X-Readership-Clause; unset req.http.X-Readership_Clause; unset req.http.X_Readership-Clause; unset req.http.X_Readership_Clause;
    unset req.http.X-Readership-Offer; unset req.http.X-Readership_Offer; unset req.http.X_Readership-Offer; unset req.http.X_Readership_Offer;
    unset req.http.X-Readership-Meter; unset req.http.X-Readership_Meter; unset req.http.X_Readership-Meter; unset req.http.X_Readership_Meter;
    unset req.http.X-Readership-Decision-Id; unset req.http.X-Readership-Decision_Id; unset req.http.X-Readership_Decision-Id; unset req.http.X-Readership_Decision_Id;
    unset req.http.X_Readership-Decision-Id; unset req.http.X_Readership-Decision_Id; unset req.http.X_Readership_Decision-Id; unset req.http.X_Readership_Decision_Id;
    unset req.http.X-Readership-Reader; unset req.http.X-Readership_Reader; unset req.http.X_Readership-Reader; unset req.http.X_Readership_Reader;
    unset req.http.X-Readership-Segments; unset req.http.X-Readership_Segments; unset req.http.X_Readership-Segments; unset req.http.X_Readership_Segments;
    unset req.http.X-Readership-Fallback; unset req.http.X-Readership_Fallback; unset req.http.X_Readership-Fallback; unset req.http.X_Readership_Fallback;
    unset req.http.X-Readership-Counts; unset req.http.X-Readership_Counts; unset req.http.X_Readership-Counts; unset req.http.X_Readership_Counts;
}

sub vcl_recv {
    if (req.restarts == 0) {
        call readership_strip;
        unset req.http.X-Original-URI;
        unset req.http.X-Forwarded-Uri;
        unset req.http.X-RS-Page;
        unset req.http.X-RS-Cookie;

        # TLS ends in front, at a server that says so with the PROXY protocol, as Hitch
        # does. Leave this out if yours sets X-Forwarded-Proto itself.
        set req.http.X-Forwarded-Proto = "http";
        if (std.port(server.ip) == 443) {
            set req.http.X-Forwarded-Proto = "https";
        }

        # What origins may read as the address of an article, and the line below does
        # not: dots, two slashes, parameters, and letters, digits or slashes that are
        # encoded before its folder ends.
        if (req.url ~ "(?i)^[^?]*([/\\]|%2f|%5c)(\.|%2e){1,2}([/\\;?]|%2f|%5c|$)" || req.url ~ "^[^?]*//" ||
            req.url ~ "(?i)^/[^/?]*([;\\]|%2[def]|%3[0-9b]|%[4-7][0-9a-f])") {
            return (synth(400));
        }

        # The tracker and what it sends, on the site's own host: page views come with
        # the cookie that decisions go by, and are of the same device. In the pages:
        # <script defer src="/_readership/rs.js" data-site="news" data-key="WRITE_KEY"></script>
        if (req.url ~ "^/_readership/(rs\.js|v1/events|v1/pixel\.gif|v1/sites/news/decisions(/[\w.-]+/commit)?)(\?|$)") {
            set req.url = regsub(req.url, "^/_readership", "");
            set req.backend_hint = readership;
            return (pass);
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
        unset req.http.X-Original-URI;
        # The article is the same for everybody who may read it.
        unset req.http.Cookie;
        unset req.http.Authorization;
        set req.backend_hint = cms;
        return (hash);
    }
    set req.backend_hint = cms;
}

sub vcl_backend_fetch {
    unset bereq.http.X-RS-Page;
    unset bereq.http.X-RS-Cookie;
    if (bereq.url ~ "^/v1/sites/news/auth\?") {
        set bereq.first_byte_timeout = 1s;
    }
}

sub vcl_backend_response {
    if (bereq.url ~ "^/articles/") {
        unset beresp.http.Set-Cookie; # a page with a cookie is kept for nobody
    }
}

sub vcl_deliver {
    if (req.http.X-RS-Page && req.restarts == 0) {
        # 200: the page may be served. 5xx: Readership is away, or starting, and
        # articles are open. Without the second they are closed, with 503.
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
        if (req.http.X-RS-Cookie ~ ".") {
            set resp.http.Set-Cookie = req.http.X-RS-Cookie;
        }
    }
}
