// Package proxy is the reverse-proxy role of the edge: requests of readers to a
// publisher's hosts go through it to the publisher's origins.
//
//	listener ─ host, path → route ─ gate (routes with access) ─ origin of the route ─ answer
//
// Routes are facts of the log, or stand in a file; a new table is built whole and
// swapped, requests under way keep theirs. An origin lives as long as a table
// names it: its connections, its health and its share of requests outlast
// changes of the table.
package proxy
