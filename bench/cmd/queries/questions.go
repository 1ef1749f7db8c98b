package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/readership/readership/bench/dataset"
)

// question is one of the reference questions in three languages. The answers
// have the same rows: keys first, then metrics.
type question struct {
	id, text string
	api      string // body of POST …/query
	sql      string // DuckDB
	click    string // ClickHouse; "" if it is the SQL
	keys     int    // how many leading columns are keys
	ranked   bool   // the order is part of the answer
	extra    bool   // shown, but not part of the mean
}

const (
	minute = 60_000
	hour   = 60 * minute
	day    = 24 * hour
)

type questionList struct {
	list        []question
	first, last string // days of the data
}

// makeQuestions fits the questions to the data: the day is the busiest one,
// the hour is its 11:00 UTC, the seven days begin the day before; the filters
// take the most frequent values, the curve is the most read item's.
func makeQuestions(clicks []dataset.Click) questionList {
	days, regions, groups, items := map[int64]int{}, map[int64]int{}, map[int64]int{}, map[int64]int{}
	for i := range clicks {
		c := &clicks[i]
		days[c.Time/day*day]++
		regions[int64(c.Region)]++
		groups[int64(c.Group)]++
		items[int64(c.Item)]++
	}
	begin := clicks[0].Time / day * day
	end := clicks[len(clicks)-1].Time/day*day + day
	top := most(days)
	f := filler{begin: begin, end: end, day: top, hour: top + 11*hour, week: top - day, item: most(items), group: most(groups), region: most(regions)}
	list := questionList{first: time.UnixMilli(begin).UTC().Format(time.DateOnly), last: time.UnixMilli(end - 1).UTC().Format(time.DateOnly)}
	for _, q := range templates {
		q.api, q.sql, q.click = f.fill(q.api), f.fill(q.sql), f.fill(q.click)
		if q.click == "" {
			q.click = q.sql
		}
		list.list = append(list.list, q)
	}
	return list
}

func most(counts map[int64]int) (key int64) {
	best := -1
	for k, n := range counts {
		if n > best || n == best && k < key {
			key, best = k, n
		}
	}
	return key
}

// filler puts the data's values into a question's text.
type filler struct{ begin, end, day, hour, week, item, group, region int64 }

func (f filler) fill(text string) string {
	span := func(name string, from, length int64) []string {
		return []string{"$" + name, fmt.Sprintf("time >= %d AND time < %d", from, from+length),
			"@" + name, fmt.Sprintf(`"date_range":[%d,%d]`, from, from+length)}
	}
	pairs := []string{"$item", fmt.Sprint(f.item), "$group", fmt.Sprint(f.group), "$region", fmt.Sprint(f.region)}
	pairs = append(pairs, span("all", f.begin, f.end-f.begin)...)
	pairs = append(pairs, span("day", f.day, day)...)
	pairs = append(pairs, span("hour", f.hour, hour)...)
	pairs = append(pairs, span("week", f.week, 7*day)...)
	return strings.NewReplacer(pairs...).Replace(text)
}

// visitsSQL cuts visits on the whole stream: a gap of more than 30 minutes
// starts a new one, which belongs to its first view's time.
const visitsSQL = `SELECT min(time) AS start, count(*) AS views FROM (
	SELECT reader, time, sum(new) OVER (PARTITION BY reader ORDER BY time ROWS UNBOUNDED PRECEDING) AS visit FROM (
		SELECT reader, time, CASE WHEN time - lag(time) OVER (PARTITION BY reader ORDER BY time) <= 1800000 THEN 0 ELSE 1 END AS new FROM clicks))
	GROUP BY reader, visit`

// visitsClick is the same for a ClickHouse without window functions.
const visitsClick = `SELECT v.1 AS start, v.2 AS views FROM (
	SELECT arrayFilter((i, gap) -> i = 1 OR gap > 1800000, arrayEnumerate(times), arrayDifference(times)) AS starts,
		arrayMap((s, e) -> (times[s], e - s), starts, arrayPushBack(arraySlice(starts, 2), length(times) + 1)) AS visits
	FROM (SELECT arraySort(groupArray(time)) AS times FROM clicks GROUP BY reader)) ARRAY JOIN visits AS v`

const visitsAPI = `{"metrics":["visits","bounce_rate"],"dimensions":["time:day"],@all,"limit":10000}`

var templates = []question{
	{id: "Q1", text: "views per 5 min of one day", keys: 1,
		api: `{"metrics":["page_views"],"dimensions":["time:5min"],@day,"limit":10000}`,
		sql: `SELECT time // 300000 * 300000 AS k, count(*) FROM clicks WHERE $day GROUP BY k ORDER BY k`, click: `SELECT intDiv(time, 300000) * 300000 AS k, count(*) FROM clicks WHERE $day GROUP BY k ORDER BY k`},
	{id: "Q2", text: "views per hour of 7 days", keys: 1,
		api: `{"metrics":["page_views"],"dimensions":["time:hour"],@week,"limit":10000}`,
		sql: `SELECT time // 3600000 * 3600000 AS k, count(*) FROM clicks WHERE $week GROUP BY k ORDER BY k`, click: `SELECT intDiv(time, 3600000) * 3600000 AS k, count(*) FROM clicks WHERE $week GROUP BY k ORDER BY k`},
	{id: "Q3", text: "views and visitors per day, whole span", keys: 1,
		api: `{"metrics":["page_views","visitors"],"dimensions":["time:day"],@all,"limit":10000}`,
		sql: `SELECT time // 86400000 * 86400000 AS k, count(*), count(DISTINCT reader) FROM clicks GROUP BY k ORDER BY k`, click: `SELECT intDiv(time, 86400000) * 86400000 AS k, count(*), uniqExact(reader) FROM clicks GROUP BY k ORDER BY k`},
	{id: "Q4", text: "top 10 items of an hour", keys: 1, ranked: true,
		api: `{"metrics":["page_views"],"dimensions":["item"],@hour,"limit":10}`,
		sql: `SELECT item, count(*) AS n FROM clicks WHERE $hour GROUP BY item ORDER BY n DESC, item LIMIT 10`},
	{id: "Q5", text: "top 10 items of 7 days with visitors", keys: 1, ranked: true,
		api: `{"metrics":["page_views","visitors"],"dimensions":["item"],@week,"limit":10}`,
		sql: `SELECT item, count(*) AS n, count(DISTINCT reader) FROM clicks WHERE $week GROUP BY item ORDER BY n DESC, item LIMIT 10`, click: `SELECT item, count(*) AS n, uniqExact(reader) FROM clicks WHERE $week GROUP BY item ORDER BY n DESC, item LIMIT 10`},
	{id: "Q6", text: "top 10 items of a device group and region", keys: 1, ranked: true,
		api: `{"metrics":["page_views"],"dimensions":["item"],@all,"limit":10,"filters":[["is","device_group",["$group"]],["is","region_code",["$region"]]]}`,
		sql: `SELECT item, count(*) AS n FROM clicks WHERE device_group = $group AND region_code = $region GROUP BY item ORDER BY n DESC, item LIMIT 10`},
	{id: "Q7", text: "visitors of the whole span", keys: 0,
		api: `{"metrics":["visitors"],@all}`,
		sql: `SELECT count(DISTINCT reader) FROM clicks`, click: `SELECT uniqExact(reader) FROM clicks`},
	{id: "Q8", text: "visitors per hour of 7 days", keys: 1,
		api: `{"metrics":["visitors"],"dimensions":["time:hour"],@week,"limit":10000}`,
		sql: `SELECT time // 3600000 * 3600000 AS k, count(DISTINCT reader) FROM clicks WHERE $week GROUP BY k ORDER BY k`, click: `SELECT intDiv(time, 3600000) * 3600000 AS k, uniqExact(reader) FROM clicks WHERE $week GROUP BY k ORDER BY k`},
	{id: "Q9", text: "views by referrer type and device group", keys: 2,
		api: `{"metrics":["page_views"],"dimensions":["referrer_type","device_group"],@all,"limit":10000}`,
		sql: `SELECT referrer_type, device_group, count(*) FROM clicks GROUP BY referrer_type, device_group`},
	{id: "Q10", text: "one item's curve per 5 min", keys: 1,
		api: `{"metrics":["page_views"],"dimensions":["time:5min"],@all,"limit":10000,"filters":[["is","item",["$item"]]]}`,
		sql: `SELECT time // 300000 * 300000 AS k, count(*) FROM clicks WHERE item = $item GROUP BY k ORDER BY k`, click: `SELECT intDiv(time, 300000) * 300000 AS k, count(*) FROM clicks WHERE item = $item GROUP BY k ORDER BY k`},
	{id: "Q11", text: "visits and bounce rate per day", keys: 1, api: visitsAPI,
		sql:   `SELECT start // 86400000 * 86400000 AS k, count(*), count(*) FILTER (views = 1) / count(*) FROM (` + visitsSQL + `) GROUP BY k ORDER BY k`,
		click: `SELECT intDiv(start, 86400000) * 86400000 AS k, count(*), countIf(views = 1) / count(*) FROM (` + visitsClick + `) GROUP BY k ORDER BY k`},
	{id: "Q11b", text: "the same, visits cut beforehand for the others", keys: 1, extra: true, api: visitsAPI,
		sql:   `SELECT start // 86400000 * 86400000 AS k, count(*), count(*) FILTER (views = 1) / count(*) FROM visits GROUP BY k ORDER BY k`,
		click: `SELECT intDiv(start, 86400000) * 86400000 AS k, count(*), countIf(views = 1) / count(*) FROM visits GROUP BY k ORDER BY k`},
}
