Feature: Access logs
  An old access log is imported into a site that lives by its events' time.
  Every line counts once, however often and under whatever name the file comes.

  Background:
    Given a server with a site "weblog" with clock "event" in "UTC"

  Scenario: A web server's log of four days
    When the access log "data/weblogs-elastic/apache_logs" is imported
    Then 9999 events are new, 0 known and 1 rejected
    And the import names line 8899 as rejected
    And the events by "time:day" are
      | 2015-05-17T00:00:00Z | 1632 |
      | 2015-05-18T00:00:00Z | 2893 |
      | 2015-05-19T00:00:00Z | 2896 |
      | 2015-05-20T00:00:00Z | 2578 |
    And the events by "status" are
      | 200 | 9125 |
      | 304 | 445  |
      | 404 | 213  |
      | 301 | 164  |
      | 206 | 45   |
      | 500 | 3    |
      | 403 | 2    |
      | 416 | 2    |

  Scenario: The same log again, also renamed and compressed
    When the access log "data/weblogs-elastic/apache_logs" is imported
    And the access log "data/weblogs-elastic/apache_logs" is imported
    Then 0 events are new, 9999 known and 1 rejected
    When a renamed and gzipped copy of the access log "data/weblogs-elastic/apache_logs" is imported
    Then 0 events are new, 9999 known and 1 rejected
    And the site holds 9999 events
