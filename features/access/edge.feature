@replayed
Feature: At the edge
  Access blocks are enforced at the page: by another server that asks first, and by
  our own proxy. A page that is shown counts, whoever served it.

  Scenario Outline: 14 A page counts when it is rendered
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 3) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page         | status | verdict       | meter | sets | commit |
      | 2024-03-01 10:00 | ada    | /a1          | 200    | allow metered | 0/3   | rsid | burned |
      | 2024-03-01 10:01 | ada    | /a2?utm_id=x | 200    | allow metered | 1/3   | -    | burned |
      | 2024-03-01 10:02 | ada    | /a2/         | 200    | allow again   | 2/3   | -    | again  |
      | 2024-03-01 10:03 | ada    | /a3          | 200    | allow metered | 2/3   | -    | burned |
      | 2024-03-01 10:04 | ada    | /a4          | 403    | deny wall     | 3/3   | -    | denied |
      | 2024-03-01 10:05 | ada    | /a1          | 200    | allow again   | 3/3   | -    | again  |
      | 2024-04-01 00:00 | ada    | /a4          | 200    | allow metered | 0/3   | -    | burned |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 14 Prefetch, prerender and link unfurlers do not burn
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story (counts: <counts>, deadline: 10s) {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader  | page | purpose            | agent               | status | verdict       | meter | commit |
      | 2024-03-01 10:00 | ada     | /a1  | prefetch           |                     | 200    | allow metered | 0/1   | -      |
      | 2024-03-01 10:00 | ada     | /a2  | prefetch;prerender |                     | 200    | allow metered | 0/1   | -      |
      | 2024-03-01 10:00 | unfurls | /a3  |                    | facebookexternalhit | 200    | allow metered | 0/1   | -      |
      | 2024-03-01 10:00 | unfurls | /a4  |                    | Slackbot            | 200    | allow metered | 0/1   | -      |
      | 2024-03-01 10:00 | ada     | /a5  | prefetch           |                     | 200    | allow metered | 0/1   | -      |
    When "ada" views "/a5" as "v5"
    Then the decision about "/a5" of "ada" comes to "burned"
    And the decision about "/a1" of "ada" comes to "-"
    And the decision about "/a3" of "unfurls" comes to "-"
    And pages come to
      | at               | reader | page | purpose  | status | commit |
      | 2024-03-01 10:01 | ada    | /a1  | prefetch | 403    | -      |
      | 2024-03-01 10:01 | ada    | /a1  |          | 403    | denied |
      | 2024-03-01 10:01 | ada    | /a5  |          | 200    | again  |

    Examples:
      | edge  | counts   |
      | auth  | rendered |
      | auth  | request  |
      | proxy | rendered |
      | proxy | request  |

  Scenario: 14 Data of a page count when the page is seen
    Given a server that is asked by "proxy", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story (deadline: 10s) {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | accept           | status | verdict       | meter | commit |
      | 2024-03-01 10:00 | ada    | /a1  | application/json | 200    | allow metered | 0/1   | -      |
      | 2024-03-01 10:00 | ada    | /a2  | application/json | 200    | allow metered | 0/1   | -      |
    When "ada" views "/a2" as "v2"
    Then the decision about "/a2" of "ada" comes to "burned"
    And the decision about "/a1" of "ada" comes to "-"
    And pages come to
      | at               | reader | page | accept           | status | commit |
      | 2024-03-01 10:01 | ada    | /a1  | application/json | 403    | denied |
      | 2024-03-01 10:01 | ada    | /a2  |                  | 200    | again  |

  Scenario Outline: 14 A page counts with its request
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story (counts: request, deadline: 10s) {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | status | verdict       | meter |
      | 2024-03-01 10:00 | ada    | /a1  | 200    | allow metered | 1/1   |
      | 2024-03-01 10:01 | ada    | /a1  | 200    | allow again   | 1/1   |
      | 2024-03-01 10:01 | ada    | /a2  | 403    | deny wall     | 1/1   |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 14 A page counts when it is read for ten seconds, or to its half
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story (counts: <counts>, deadline: 10s) {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | status | verdict       | meter |
      | 2024-03-01 10:00 | ada    | /a1  | 200    | allow metered | 0/2   |
      | 2024-03-01 10:00 | ada    | /a2  | 200    | allow metered | 0/2   |
    When "ada" views "/a1" as "v1"
    And "ada" views "/a2" as "v2"
    And "ada" reads "v1" for 4 s, down to 40 %
    And "ada" reads "v2" for 9 s, down to 49 %
    Then the decision about "/a1" of "ada" comes to "-"
    When "ada" reads "v1" for 6 s, down to 50 %
    Then the decision about "/a1" of "ada" comes to "burned"
    And the decision about "/a2" of "ada" comes to "-"
    And pages come to
      | reader | page | verdict       | meter |
      | ada    | /a1  | allow again   | 1/2   |
      | ada    | /a2  | allow metered | 1/2   |

    Examples:
      | edge  | counts      |
      | auth  | engaged 10s |
      | auth  | scroll 50   |
      | proxy | engaged 10s |
      | proxy | scroll 50   |

  Scenario Outline: 17 Readers from social networks and newsletters have their own cap
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      meter friends (limit: 2) = burns |> per day |> distinct item
      access story {
        allow letter  if request.newsletter
        allow again   if item in monthly
        allow known   if item in friends
        allow metered if monthly.left > 0 burns monthly
        allow social  if request.referrer_host == "social.example" and friends.left > 0 burns friends
        deny  wall                        offers plan_picker
      }
      """
    And the catalogue
      | id | url                     |
      | a8 | https://news.example/a8 |
    When the clock moves to "2024-03-01 09:00"
    Given a newsletter link "letter" with
      """
      {"item":"a8","expires_in":"7d"}
      """
    And a link "forged" that is "letter" with another item, "a9"
    Then pages come to
      | at               | reader | page | from                      | link   | status | verdict       | commit |
      | 2024-03-01 10:00 | ada    | /a1  |                           |        | 200    | allow metered | burned |
      | 2024-03-01 10:01 | ada    | /a2  |                           |        | 403    | deny wall     | denied |
      | 2024-03-01 10:02 | ada    | /a2  | https://social.example/p1 |        | 200    | allow social  | burned |
      | 2024-03-01 10:03 | ada    | /a2  |                           |        | 200    | allow known   | again  |
      | 2024-03-01 10:04 | ada    | /a3  | https://social.example/   |        | 200    | allow social  | burned |
      | 2024-03-01 10:05 | ada    | /a4  | https://social.example/   |        | 403    | deny wall     | denied |
      | 2024-03-01 10:06 | ada    | /a5  | https://else.example/social.example | | 403  | deny wall     | denied |
      | 2024-03-01 10:07 | ada    | /a8  |                           | letter | 200    | allow letter  | none   |
      | 2024-03-01 10:08 | ada    | /a8  |                           |        | 403    | deny wall     | denied |
      | 2024-03-01 10:09 | ada    | /a9  |                           | letter | 403    | deny wall     | denied |
      | 2024-03-01 10:10 | ada    | /a9  |                           | forged | 403    | deny wall     | denied |
      | 2024-03-02 10:00 | ada    | /a6  | https://social.example/   |        | 200    | allow social  | burned |
      | 2024-03-08 10:00 | ada    | /a8  |                           | letter | 403    | deny wall     | denied |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 18 Search crawlers that are verified see all, and an agent alone is none
    Given crawlers of "google" come from "192.0.2.0/24"
    And a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow search  if bot.class == "search" and bot.verified
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | agent     | address       | status | verdict       | commit |
      | 2024-03-01 10:00 | real   | /a1  | Googlebot | 192.0.2.9     | 200    | allow search  | none   |
      | 2024-03-01 10:01 | real   | /a2  | Googlebot | 192.0.2.9     | 200    | allow search  | none   |
      | 2024-03-01 10:02 | fake   | /a1  | Googlebot | 198.51.100.9  | 200    | allow metered | burned |
      | 2024-03-01 10:03 | fake   | /a2  | Googlebot | 198.51.100.9  | 403    | deny wall     | denied |
      | 2024-03-01 10:04 | fake   | /a2  | Googlebot | 192.0.2.9, 198.51.100.9 | 403 | deny wall | denied |
      | 2024-03-01 10:05 | other  | /a1  | bingbot   | 192.0.2.9     | 200    | allow metered | burned |
      | 2024-03-01 10:06 | other  | /a2  | bingbot   | 192.0.2.9     | 403    | deny wall     | denied |
      | 2024-03-01 10:07 | person | /a1  |           | 192.0.2.9     | 200    | allow metered | burned |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 19 AI crawlers by class
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        deny   training  if bot.class == "ai_training"
        charge index     if bot.class == "ai_search"    price 0.002 EUR
        allow  assistant if bot.class == "ai_assistant"
        allow  again     if item in monthly
        allow  metered   if monthly.left > 0            burns monthly
        deny   wall                                     offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | agent         | status | verdict         | price     | commit |
      | 2024-03-01 10:00 | r1     | /a1  | GPTBot        | 403    | deny training   | -         | denied |
      | 2024-03-01 10:01 | r2     | /a1  | OAI-SearchBot | 402    | charge index    | EUR 0.002 | denied |
      | 2024-03-01 10:02 | r3     | /a1  | ChatGPT-User  | 200    | allow assistant | -         | none   |
      | 2024-03-01 10:03 | r3     | /a2  | ChatGPT-User  | 200    | allow assistant | -         | none   |
      | 2024-03-01 10:04 | ada    | /a1  |               | 200    | allow metered   | -         | burned |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 20 Editors' previews are signed, expire and never count
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow preview if request.preview
        deny  unready if item.tier == "draft"
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    And the catalogue
      | id | url                     | tier  |
      | d1 | https://news.example/d1 | draft |
      | d2 | https://news.example/d2 | draft |
    When the clock moves to "2024-03-01 09:00"
    Given a preview link "draft" with
      """
      {"item":"d1","expires_in":"1h"}
      """
    And a link "longer" that is "draft" with another end
    Then pages come to
      | at               | reader | page | link   | status | verdict       | commit |
      | 2024-03-01 09:01 | editor | /d1  | draft  | 200    | allow preview | none   |
      | 2024-03-01 09:02 | editor | /d1  | draft  | 200    | allow preview | none   |
      | 2024-03-01 09:03 | friend | /d1  | draft  | 200    | allow preview | none   |
      | 2024-03-01 09:04 | friend | /d1  |        | 403    | deny unready  | denied |
      | 2024-03-01 09:04 | friend | /d2  | draft  | 403    | deny unready  | denied |
      | 2024-03-01 09:04 | friend | /d1  | longer | 403    | deny unready  | denied |
      | 2024-03-01 09:05 | editor | /a1  |        | 200    | allow metered | burned |
      | 2024-03-01 09:59 | editor | /d1  | draft  | 200    | allow preview | none   |
      | 2024-03-01 10:01 | friend | /d1  | draft  | 403    | deny unready  | denied |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 24 Whose cookies are cleared is a new reader, and nobody is unlimited
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Given the device "carl" has a token
    Then pages come to
      | at               | reader | page | cookie                                                        | status | verdict       | meter | sets | commit | as          |
      | 2024-03-01 10:00 | ada    | /a1  |                                                               | 200    | allow metered | 0/1   | rsid | burned | device:…    |
      | 2024-03-01 10:01 | ada    | /a2  |                                                               | 403    | deny wall     | 1/1   | -    | denied | device:…    |
      | 2024-03-01 10:02 | carl   | /a1  |                                                               | 200    | allow metered | 0/1   | -    | burned | device:carl |
      | 2024-03-01 10:03 | carl   | /a2  |                                                               | 403    | deny wall     | 1/1   | -    | denied | device:carl |
      | 2024-03-01 10:04 | eve    | /a2  | rsid=2.Y2FybA.AAAAAAAAAAAAAAAAAAAAAA                          | 200    | allow metered | 0/1   | rsid | burned | device:…    |
      | 2024-03-01 10:05 | eve    | /a2  | rsid=carl                                                     | 200    | allow metered | 0/1   | rsid | burned | device:…    |
    When "ada" clears the cookies
    Then pages come to
      | at               | reader | page | status | verdict       | meter | sets | commit |
      | 2024-03-01 10:06 | ada    | /a2  | 200    | allow metered | 0/1   | rsid | burned |
      | 2024-03-01 10:07 | ada    | /a3  | 403    | deny wall     | 1/1   | -    | denied |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 24 Where the site wants it stricter, who clears the cookies runs out
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"identity":{"without_cookie":"daily"},"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        allow free    if item.tier == "free"
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    And the catalogue
      | id | url                     | tier |
      | f1 | https://news.example/f1 | free |
    Then pages come to
      | at               | reader | page | address     | status | verdict       | meter | sets | commit | as        |
      | 2024-03-01 10:00 | ada    | /f1  |             | 200    | allow free    |       | -    | none   | device:~… |
      | 2024-03-01 10:01 | ada    | /a1  |             | 200    | allow metered | 0/2   | rsid | burned | device:…  |
      | 2024-03-01 10:02 | ada    | /a1  |             | 200    | allow again   | 1/2   | -    | again  | device:…  |
      | 2024-03-01 10:03 | ada    | /a2  | 192.0.2.7   | 200    | allow metered | 1/2   | -    | burned | device:…  |
      | 2024-03-01 10:04 | ada    | /a3  |             | 403    | deny wall     | 2/2   | -    | denied | device:…  |
    When "ada" clears the cookies
    Then pages come to
      | at               | reader | page | address     | status | verdict       | meter | sets | commit | as        |
      | 2024-03-01 10:05 | ada    | /a1  |             | 200    | allow again   | 1/2   | -    | again  | device:~… |
      | 2024-03-01 10:06 | ada    | /a3  |             | 200    | allow metered | 0/2   | rsid | burned | device:…  |
    When "ada" clears the cookies
    Then pages come to
      | at               | reader | page | address     | status | verdict       | meter | sets | commit | as        |
      | 2024-03-01 10:07 | ada    | /a4  |             | 403    | deny wall     | 2/2   | -    | denied | device:~… |
      | 2024-03-01 10:08 | ada    | /a4  |             | 403    | deny wall     | 2/2   | -    | denied | device:~… |
      | 2024-03-01 10:09 | bob    | /a4  | 192.0.2.2   | 200    | allow metered | 0/2   | rsid | burned | device:…  |
      | 2024-03-02 10:00 | ada    | /a4  |             | 200    | allow metered | 0/2   | rsid | burned | device:…  |

    Examples:
      | edge  |
      | auth  |
      | proxy |

  Scenario Outline: 25 Without consent the burns live in the browser's session alone
    Given a server that is asked by "<edge>", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"trusted_proxies":["127.0.0.1"],"privacy":{"without_consent":"<privacy>"}}
      """
    And the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      """
    Then pages come to
      | at               | reader | page | gpc   | cookie    | status | verdict       | meter | commit | as        |
      | 2024-03-01 10:00 | ada    | /a1  | <gpc> |           | 200    | allow metered | 0/2   | burned | device:~… |
      | 2024-03-01 10:01 | ada    | /a1  | <gpc> |           | 200    | allow again   | 1/2   | again  | device:~… |
      | 2024-03-01 10:02 | ada    | /a2  | <gpc> |           | 200    | allow metered | 1/2   | burned | device:~… |
      | 2024-03-01 10:03 | ada    | /a3  | <gpc> |           | 403    | deny wall     | 2/2   | denied | device:~… |
      | 2024-03-01 10:04 | bob    | /a3  | <gpc> |           | 200    | allow metered | 0/2   | burned | device:~… |
      | 2024-03-01 10:05 | eve    | /a3  | <gpc> | rsm=AAAAAA | 200    | allow metered | 0/2   | burned | device:~… |
    And the cookie of "ada" is a session's, and says nothing to who reads it

    Examples:
      | edge  | privacy    | gpc |
      | auth  | cookieless |     |
      | auth  | drop       |     |
      | auth  | assume     | 1   |
      | proxy | cookieless |     |
      | proxy | drop       |     |
      | proxy | assume     | 1   |

  Scenario Outline: 28 While the engine stands still the policy of the block answers
    Given a server whose engine can stand still
    And a server that is asked by "<edge>", with a site "news" with clock "wall" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 3) = burns |> per month |> distinct item
      access story (counts: <counts>, fails: open, deadline: 50ms) {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall                        offers plan_picker
      }
      access safe (counts: <counts>, fails: closed, deadline: 50ms) {
        allow everybody
      }
      """
    And the device "ada" has a token
    And its pages are routed
    When the engine stands still
    Then pages come to
      | reader | page     | status | verdict | fallback |
      | ada    | /a1      | 200    | allow   | 1        |
      | ada    | /a2      | 200    | allow   | 1        |
      | ada    | /safe/a3 | 403    |         | 1        |
    And 3 pages were decided about by the policy of their block
    When the engine goes on
    Then the decision about "/a1" of "ada" comes to "burned"
    And the decision about "/a2" of "ada" comes to "burned"
    And "ada" is known to have read 2 of 3

    Examples:
      | edge  | counts   |
      | auth  | request  |
      | proxy | request  |
      | proxy | rendered |

  Scenario: A reader who is stopped gets the origin's teaser where the route says so
    Given a server that is asked by "proxy", with a site "news" with clock "event" in "Europe/Berlin"
    And the settings
      """
      {"privacy":{"without_consent":"assume"}}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        charge feed    if item.tier == "data" price 0.002 EUR
        allow  again   if item in monthly
        allow  metered if monthly.left > 0    burns monthly
        deny   wall                           offers plan_picker
      }
      """
    And the catalogue
      | id | url                     | tier |
      | x1 | https://news.example/x1 | data |
    Then pages come to
      | at               | reader | page | on deny | status | verdict       | price     | commit |
      | 2024-03-01 10:00 | ada    | /a1  | teaser  | 200    | allow metered | -         | burned |
      | 2024-03-01 10:01 | ada    | /a2  | teaser  | 200    | deny wall     | -         | denied |
      | 2024-03-01 10:02 | ada    | /a2  | offer   | 403    | deny wall     | -         | denied |
      | 2024-03-01 10:03 | ada    | /x1  | teaser  | 402    | charge feed   | EUR 0.002 | denied |
