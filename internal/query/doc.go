// Package query answers questions about the rows of a site: metrics over a
// range of time, by dimensions, with filters. The definitions of metrics and
// dimensions are in docs/querying.md.
//
// The way of a question:
//
//	parse      JSON → Query, with every fault located
//	answer     Query × engine.View → Result
//	  range    the span in the site's zone, cut to the window; bucket borders
//	  sources  dimension → column codes of a shard, and their numbering
//	  filter   a table of passing codes per column → a mask per block
//	  scan     mask → rows → groups → counters and sets of readers
//	  visits   visits that start in the range → groups
//	  merge    shards add up; the best groups are chosen
//	WriteJSON, WriteCSV, WriteNDJSON
//
// Answers are exact. Work is bounded by the view's rows, memory by Limits.
package query
