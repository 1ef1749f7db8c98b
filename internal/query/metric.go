package query

// Metric is what can be counted.
type Metric uint8

// The metrics, in the order of their names in metricNames.
const (
	PageViews Metric = iota
	Visitors
	Visits
	BounceRate
	VisitSeconds
	ViewsPerVisit
	EngagedSeconds
	EngagedSecondsPerView
	QualityViews
	ScrollPercent
	Events
	Conversions
	ConversionRate
	Revenue
	NewVisitors
	RecirculationRate
	numMetrics
)

var metricNames = [numMetrics]string{
	PageViews: "page_views", Visitors: "visitors", Visits: "visits", BounceRate: "bounce_rate",
	VisitSeconds: "visit_seconds", ViewsPerVisit: "views_per_visit", EngagedSeconds: "engaged_seconds",
	EngagedSecondsPerView: "engaged_seconds_per_view", QualityViews: "quality_views",
	ScrollPercent: "scroll_percent", Events: "events", Conversions: "conversions",
	ConversionRate: "conversion_rate", Revenue: "revenue", NewVisitors: "new_visitors",
	RecirculationRate: "recirculation_rate",
}

// String returns the metric's name.
func (m Metric) String() string { return metricNames[m] }

// MetricByName finds a metric.
func MetricByName(name string) (Metric, bool) {
	for m, n := range metricNames {
		if n == name {
			return Metric(m), true
		}
	}
	return 0, false
}

// needs is a set of counters.
type needs uint16

// The counters that metrics are made of.
const (
	needEvents needs = 1 << iota
	needViews
	needEngaged
	needQuality
	needScroll
	needConversions
	needRevenue
	needVisitors
	needNew
	needRecirculation
	needVisits // all sums of visits
	needPeople // rows that are no robots', where readers are counted later: a group that has some exists
)

var metricNeeds = [numMetrics]needs{
	PageViews: needViews, Visitors: needVisitors, Visits: needVisits, BounceRate: needVisits,
	VisitSeconds: needVisits, ViewsPerVisit: needVisits, EngagedSeconds: needViews | needEngaged,
	EngagedSecondsPerView: needViews | needEngaged, QualityViews: needViews | needQuality,
	ScrollPercent: needViews | needScroll, Events: needEvents, Conversions: needConversions,
	ConversionRate: needVisits, Revenue: needConversions | needRevenue,
	NewVisitors: needVisitors | needNew, RecirculationRate: needViews | needRecirculation,
}

// needDistinct are the counters that need sets of readers.
const needDistinct = needVisitors | needNew

// needsOf joins the counters of metrics.
func needsOf(metrics []Metric) (n needs) {
	for _, m := range metrics {
		n |= metricNeeds[m]
	}
	return n
}
