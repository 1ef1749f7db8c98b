package main

import (
	"strings"

	"github.com/readership/readership/internal/app"
)

// proxyFlags defines the flags of the reverse proxy. What it returns is called
// once they have been read.
func proxyFlags(f *flags, cfg *app.ProxyConfig) (read func()) {
	var certificates, keys string
	f.StringVar(&cfg.Listen, "proxy-listen", "", "`ADDR` of the reverse proxy in front of the sites' origins")
	f.StringVar(&cfg.TLSListen, "proxy-tls-listen", "", "`ADDR` of the same with TLS and HTTP/2; needs certificates")
	f.StringVar(&cfg.Routes, "proxy-routes", "", "`FILE` of routes by site, JSON, in place of stored ones; read again when it changes")
	f.StringVar(&cfg.Prefix, "proxy-prefix", "/_readership/", "`PATH` on the sites' own hosts below which events are taken; / for none")
	f.BoolVar(&cfg.Redirect, "proxy-redirect", false, "send readers on --proxy-listen to the same address with TLS")
	f.StringVar(&certificates, "proxy-cert", "", "`FILES` of certificates with their chains, separated by commas; read again when they change")
	f.StringVar(&keys, "proxy-key", "", "`FILES` of their keys, in the same order")
	f.BoolVar(&cfg.ACME, "proxy-acme", false, "have certificates made for hosts that have routes, and agree to the terms of who makes them")
	f.StringVar(&cfg.ACMEDirectory, "proxy-acme-directory", "", "`URL` of the ACME server; Let's Encrypt if left out")
	f.StringVar(&cfg.ACMERoots, "proxy-acme-roots", "", "`FILE` of who certifies the ACME server, if the system does not know")
	f.StringVar(&cfg.ACMEEmail, "proxy-acme-email", "", "`ADDRESS` that is told before a certificate ends")
	return func() { cfg.Certificates, cfg.Keys = listed(certificates), listed(keys) }
}

// listed takes a list apart that is separated by commas.
func listed(text string) []string {
	if text == "" {
		return nil
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}
