Feature: Meters and segments over a news portal's click log
  What a meter would have allowed in the month, and who was in a segment, are
  the figures that a separate plain program computed.

  Background:
    Given a server with the click log in a site with clock "event" in "UTC"

  Scenario Outline: <limit> articles per <period> in <zone>
    When a meter of <limit> articles per <period> in "<zone>" is simulated
    Then reads allowed and denied, reads again and readers denied are those of the reference

    Examples:
      | limit | period | zone              |
      | 3     | month  | UTC               |
      | 5     | month  | UTC               |
      | 10    | month  | UTC               |
      | 3     | day    | UTC               |
      | 5     | day    | UTC               |
      | 10    | day    | UTC               |
      | 3     | month  | America/Sao_Paulo |
      | 5     | month  | America/Sao_Paulo |
      | 10    | month  | America/Sao_Paulo |
      | 3     | day    | America/Sao_Paulo |
      | 5     | day    | America/Sao_Paulo |
      | 10    | day    | America/Sao_Paulo |

  Scenario: A smaller allowance denies more readers, and frees none
    When a meter of 3 articles per month is simulated against one of 5
    Then the readers newly denied are those that the reference has more of

  Scenario: Segments of the week before 9 October 2017
    When the site has the segments of the reference
    Then their sizes at 2017-10-09T00:00Z are those of the reference
