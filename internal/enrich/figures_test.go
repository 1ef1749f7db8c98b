package enrich

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// shared returns a file of the folder of real data; the test is skipped where
// it is absent.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sharedFolder(), name))
	if err != nil {
		t.Skipf("real data is absent: %v", err)
	}
	return text
}

// agents are the cases of a file of uap-core.
func uapCases(t testing.TB, name string) (cases []uapCase) {
	t.Helper()
	var file struct {
		Cases []uapCase `yaml:"test_cases"`
	}
	if err := yaml.Unmarshal(shared(t, "fx-uap-core/"+name), &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

type uapCase struct {
	Text   string `yaml:"user_agent_string"`
	Family string `yaml:"family"`
	Major  string `yaml:"major"`
}

// crawlerCases are real agents of robots with the pattern they are filed under.
func crawlerCases(t testing.TB) (list []struct {
	Pattern   string
	Tags      []string
	Instances []string
}) {
	t.Helper()
	if err := json.Unmarshal(shared(t, "fx-crawler-ua/crawler-user-agents.json"), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRecallOfRobots(t *testing.T) {
	all, found, same := 0, 0, 0
	for _, c := range crawlerCases(t) {
		want := (&crawler{Pattern: c.Pattern, Tags: c.Tags}).class()
		for _, text := range c.Instances {
			all++
			a := ParseAgent(text)
			if a.Robot() {
				found++
			} else {
				t.Logf("missed %s: %s", c.Pattern, text)
			}
			if a.Class == want {
				same++
			}
		}
	}
	t.Logf("robots: %d of %d agents found, %.2f %%; the class of their own entry: %.2f %%", found, all, percent(found, all), percent(same, all))
	if percent(found, all) < 95 {
		t.Error("less than 95 % are found")
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }

// robotFamilies are the families of uap-core's cases that are no people's
// browsers, though their agents neither say so nor have an address to ask at.
var robotFamilies = []string{"Catchpoint", "Ruxit Synthetic", "PhantomJS", "HeadlessChrome", "WebPageTest.org bot", "Datanyze", "OpenVAS Scanner",
	"GomezAgent", "Google-InspectionTool", "HTTrack", "ZyBorg", "Python-urllib", "scooter", "BingPreview"}

var saysRobot = regexp.MustCompile(`(?i)bot|crawl|spider|scrap|archiv|slurp|preview|monitor|https?:|www\.|@`)

// The browsers of uap-core's cases are the agents in the manner of browsers that
// neither call themselves robots nor name an address.
func TestFalseAlarmsOnBrowsers(t *testing.T) {
	all, alarms := 0, 0
	for _, c := range uapCases(t, "test_ua.yaml") {
		if !strings.HasPrefix(c.Text, "Mozilla/") && !strings.HasPrefix(c.Text, "Opera/") || saysRobot.MatchString(c.Text+" "+c.Family) || slices.Contains(robotFamilies, c.Family) {
			continue
		}
		all++
		if a := ParseAgent(c.Text); a.Robot() {
			alarms++
			t.Logf("%s %s, but %s: %s", a.Class, a.Operator, c.Family, c.Text)
		}
	}
	t.Logf("browsers: %d of %d are taken for robots, %.2f %%", alarms, all, percent(alarms, all))
	if percent(alarms, all) > 0.5 || all < 400 {
		t.Error("more than 0.5 %")
	}
}

// Browser and system are what uap-core's own cases say, as far as the released
// expressions know them.
func TestFamiliesAreUapCores(t *testing.T) {
	for _, c := range []struct {
		file  string
		of    func(*lists, string, *int) string
		least float64
	}{{"test_ua.yaml", (*lists).browser, 90}, {"test_os.yaml", (*lists).os, 98}} {
		all, same := 0, 0
		for _, u := range uapCases(t, c.file) {
			all++
			tries := maxTries
			if got := c.of(loadLists(), u.Text, &tries); got == u.Family || got == "" && u.Family == "Other" {
				same++
			}
		}
		t.Logf("%s: %d of %d families, %.1f %%", c.file, same, all, percent(same, all))
		if percent(same, all) < c.least {
			t.Errorf("less than %v %%", c.least)
		}
	}
}

// The index of literals finds what uap-go finds by running every expression.
func TestPatternsFindWhatUapGoFinds(t *testing.T) {
	l := loadLists()
	for i, u := range uapCases(t, "test_ua.yaml") {
		if i%32 != 0 {
			continue // uap-go takes a millisecond each
		}
		tries := maxTries
		if got, want := l.browser(u.Text, &tries), l.parser.ParseUserAgent(u.Text).Family; got != want && !(got == "" && want == "Other") {
			t.Errorf("browser %q, want %q: %s", got, want, u.Text)
		}
		if got, want := l.os(u.Text, &tries), l.parser.ParseOs(u.Text).Family; got != want && !(got == "" && want == "Other") {
			t.Errorf("os %q, want %q: %s", got, want, u.Text)
		}
		if got, want := l.spider(u.Text, &tries), l.parser.ParseDevice(u.Text).Family == "Spider"; got != want {
			t.Errorf("spider %v, want %v: %s", got, want, u.Text)
		}
	}
}

// No agent that is real comes near the bound on what is run for it.
func TestTriesOfRealAgents(t *testing.T) {
	l, most, all := loadLists(), 0, 0
	try := func(text string) {
		tries := maxTries
		if class, _ := l.robot(text, &tries); class == "" || class == ClassAutomation {
			l.browser(text, &tries)
			l.os(text, &tries)
		}
		all++
		if most = max(most, maxTries-tries); tries < maxTries/3 {
			t.Errorf("%d patterns are run for %s", maxTries-tries, text)
		}
	}
	for _, file := range []string{"test_ua.yaml", "test_os.yaml"} {
		for _, u := range uapCases(t, file) {
			try(u.Text[:min(len(u.Text), maxAgent)])
		}
	}
	for _, c := range crawlerCases(t) {
		for _, text := range c.Instances {
			try(text[:min(len(text), maxAgent)])
		}
	}
	t.Logf("%d agents take %d tries at most", all, most)
}

// Lines of a real access log that are robots'.
func TestRobotsOfAnAccessLog(t *testing.T) {
	lines, robots, classes, agents := 0, 0, map[string]int{}, NewAgents()
	for line := range strings.Lines(string(shared(t, "weblogs-elastic/apache_logs"))) {
		parts := strings.Split(strings.TrimSpace(line), `"`)
		if len(parts) < 7 {
			continue // the malformed one
		}
		lines++
		if a := agents.Parse(parts[5]); a.Robot() {
			robots++
			classes[a.Class]++
		}
	}
	t.Logf("access log: %d of %d lines are robots', by class %v", robots, lines, classes)
	if robots < 1955 {
		t.Error("fewer than the list of robots alone finds")
	}
}

// What is found where a robot is not in the list: each pattern is left out in
// turn, and its agents are looked for with the rest.
func TestRobotsThatTheListDoesNotHave(t *testing.T) {
	l := loadLists()
	all, found := 0, 0
	for _, c := range crawlerCases(t) {
		for _, text := range c.Instances {
			all++
			tries := maxTries
			others := l.crawlers.first(text, func(i int) bool { return l.crawlers.list[i].expr != bounded(c.Pattern) }, &tries)
			if others >= 0 || l.spider(text, &tries) {
				found++
			}
		}
	}
	t.Logf("robots whose own pattern is left out: %d of %d found, %.1f %%", found, all, percent(found, all))
	if percent(found, all) < 50 {
		t.Error("less than half")
	}
}
