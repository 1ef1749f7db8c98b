@replayed
Feature: What the log has let go of
  The log keeps the days of the window and two more. Burns outlive it: a server
  that has nothing but its log knows them all the same.

  Scenario: 3 A restart from the log alone after the burns' events have left it
    Given a server whose own clock says "2027-01-01 09:00", with a site "news" in "Europe/Berlin"
    And the program
      """
      meter season (limit: 2) = burns |> last 60d |> distinct item
      access story {
        allow again   if item in season
        allow metered if season.left > 0 burns season
        deny  wall
      }
      """
    Then reading comes to
      | reader     | item | verdict       | commit | meter |
      | d1         | a1   | allow metered | burned | 1/2   |
      | d1 as anna | a2   | allow metered | burned | 2/2   |
    When the server starts again at "2027-01-02 09:00", and has done its daily work
    And the server starts again at "2027-02-04 09:00", and has done its daily work
    Then its log has nothing from before "2027-01-02" any more
    When the server starts again from its log alone
    Then reading comes to
      | reader     | item | verdict       | commit | meter |
      | d1         | a1   | allow again   | again  | 1/2   |
      | d1 as anna | a1   | allow again   | again  | 2/2   |
      | d1 as anna | a2   | allow again   | again  | 2/2   |
      | d1 as anna | a3   | deny wall     | denied | 2/2   |
    When the server starts again at "2027-03-02 08:59", and has done its daily work
    Then reading comes to
      | reader     | item | verdict       | commit | meter |
      | d1 as anna | a3   | deny wall     | denied | 2/2   |
    When the server starts again at "2027-03-02 09:05"
    Then reading comes to
      | reader     | item | verdict       | commit | meter |
      | d1 as anna | a3   | allow metered | burned | 1/2   |

  Scenario: 3 The 31st of a month, when the log has let go of its 1st
    Given a server whose own clock says "2027-01-01 00:01", with a site "news" in "Europe/Berlin"
    And the settings
      """
      {"window":"7d"}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | reader | item | verdict       | commit | meter | resets at        |
      | d1     | a1   | allow metered | burned | 1/1   | 2027-02-01 00:00 |
    When the server starts again at "2027-01-02 09:00", and has done its daily work
    And the server starts again at "2027-01-31 23:50", and has done its daily work
    Then its log has nothing from before "2027-01-02" any more
    When the server starts again from its log alone
    Then reading comes to
      | reader | item | verdict       | commit | meter | resets at        |
      | d1     | a1   | allow again   | again  | 1/1   | 2027-02-01 00:00 |
      | d1     | a2   | deny wall     | denied | 1/1   | 2027-02-01 00:00 |
