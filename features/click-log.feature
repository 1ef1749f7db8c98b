Feature: A news portal's click log
  Every answer over the log equals the one that a separate plain program
  computed from it.

  Background:
    Given a server with the click log in a site with clock "event" in "UTC"

  Scenario: Views and visitors per day, in two time zones
    Then views and visitors per day in "UTC" are those of the reference
    And views and visitors per day in "America/Sao_Paulo" are those of the reference

  Scenario: The hour before noon of 3 October 2017
    Then the hour has the reference's views, visitors, ten articles and five-minute series

  Scenario: Visits
    Then the visits of the whole log are those of the reference

  Scenario: Sums are the same at every resolution
    Then page_views, visits and events have the same sums at 5 minutes, hours and days
    And they have the same sums in "America/Sao_Paulo"
