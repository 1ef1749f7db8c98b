@replayed
Feature: Items, tiers and clauses

  Background:
    Given a server with a site "news" with clock "event" in "Europe/Berlin"

  Scenario: 5 An item is its id whatever the address
    Given the catalogue
      | id | kind    | tier    | url                      | aliases                                           |
      | a1 | article | metered | https://news.example/new | https://news.example/old https://news.example/new/print |
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
      | at               | reader | url                                        | canonical                | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/new                   |                          | allow metered | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new?utm_source=letter |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | http://news.example/new                    |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://www.news.example/new/              |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new/amp               |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/new/print             |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://news.example/old                   |                          | allow again   | 1/1   |
      | 2024-03-01 10:01 | d1     | https://cache.example/c/s/x                | https://news.example/new | allow again   | 1/1   |
      | 2024-03-01 10:02 | d1     | https://news.example/other                 |                          | deny wall     | 1/1   |

  Scenario: 5 An address that changes after the read
    Given the catalogue
      | id | kind    | tier    | url                        |
      | a1 | article | metered | https://news.example/first |
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
      | at               | reader | url                        | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/first | allow metered | 1/1   |
    Given the catalogue
      | id | kind    | tier    | url                         | aliases                    |
      | a1 | article | metered | https://news.example/second | https://news.example/first |
    Then reading comes to
      | at               | reader | item | url                         | verdict     | meter |
      | 2024-03-01 10:01 | d1     |      | https://news.example/second | allow again | 1/1   |
      | 2024-03-01 10:01 | d1     |      | https://news.example/first  | allow again | 1/1   |
      | 2024-03-01 10:01 | d1     | a1   |                             | allow again | 1/1   |
      | 2024-03-01 10:01 | d1     | a2   |                             | deny wall   | 1/1   |

  Scenario: 6 Pages of an article, a gallery and a live blog are one item, also at the limit
    Given the catalogue
      | id | kind    | tier    | url                        | aliases                                                                                                             |
      | a1 | article | metered | https://news.example/long  | https://news.example/long/2 https://news.example/long/3 https://news.example/long/4 https://news.example/long/5 |
      | g1 | gallery | metered | https://news.example/shots |                                                                                                                     |
      | l1 | live    | metered | https://news.example/live  |                                                                                                                     |
    And the program
      """
      meter monthly (limit: 3) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | url                                  | canonical                  | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/long/2          |                            | allow metered | 1/3   |
      | 2024-03-01 10:01 | d1     | https://news.example/shots/img-7     | https://news.example/shots | allow metered | 2/3   |
      | 2024-03-01 10:02 | d1     | https://news.example/live?page=2#p81 |                            | allow metered | 3/3   |
      | 2024-03-01 10:03 | d1     | https://news.example/long/3          |                            | allow again   | 3/3   |
      | 2024-03-01 10:03 | d1     | https://news.example/long/5          |                            | allow again   | 3/3   |
      | 2024-03-01 10:03 | d1     | https://news.example/shots/img-8     | https://news.example/shots | allow again   | 3/3   |
      | 2024-03-01 10:03 | d1     | https://news.example/live?page=3     |                            | allow again   | 3/3   |
      | 2024-03-01 10:03 | d1     | https://news.example/long/6          |                            | deny wall     | 3/3   |

  Scenario: 5 A read under an address counts for the entry that claims it later
    Given the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow again   if item in monthly
        allow metered if monthly.left > 0 burns monthly
        deny  wall
      }
      """
    Then reading comes to
      | at               | reader | url                      | verdict       | meter |
      | 2024-03-01 10:00 | d1     | https://news.example/new | allow metered | 1/1   |
    Given the catalogue
      | id | kind    | url                      |
      | a1 | article | https://news.example/new |
    Then reading comes to
      | at               | reader | item | url                      | verdict     | meter |
      | 2024-03-01 10:01 | d1     |      | https://news.example/new | allow again | 1/1   |
      | 2024-03-01 10:02 | d1     | a1   |                          | allow again | 1/1   |
      | 2024-03-01 10:03 | d1     | a2   |                          | deny wall   | 1/1   |

  Scenario: 7 and 8 Tiers, ages, and clauses from the top
    Given the catalogue
      | id  | kind    | tier    | published_at     |
      | f1  | article | free    | 2024-03-01 08:00 |
      | m1  | article | metered | 2024-03-01 08:00 |
      | m2  | article | metered | 2024-03-01 09:45 |
      | p1  | article | premium | 2024-03-01 08:00 |
      | r1  | article | registration | 2024-03-01 08:00 |
      | old | article | metered | 2023-01-01 08:00 |
    And the account "anna" with
      """
      {"entitlements":[{"name":"premium","until":null,"state":"active"}]}
      """
    And the program
      """
      meter monthly (limit: 1) = burns |> per month |> distinct item
      access story {
        allow subscriber if reader.entitled("premium")
        allow open       if item.tier == "free" or item.published_at > now - 30m
        deny  archive    if item.published_at < now - 365d                offers plan_picker
        deny  premium    if item.tier == "premium"                        offers plan_picker
        allow member     if item.tier == "registration" and reader.registered
        deny  register   if item.tier == "registration"                   offers registration_wall
        allow again      if item in monthly
        allow metered    if monthly.left > 0                              burns monthly
        deny  wall                                                        offers plan_picker
      }
      """
    Then reading comes to
      | at                        | reader      | item | verdict          | commit | meter | offer             |
      | 2024-03-01 10:00          | d1          | f1   | allow open       | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | m2   | allow open       | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | m1   | allow metered    | burned | 1/1   |                   |
      | 2024-03-01 10:00          | d1          | p1   | deny premium     | denied | -     | plan_picker       |
      | 2024-03-01 10:00          | d1          | r1   | deny register    | denied | -     | registration_wall |
      | 2024-03-01 10:00          | d2 as berta | r1   | allow member     | none   | -     |                   |
      | 2024-03-01 10:00          | d1          | old  | deny archive     | denied | -     | plan_picker       |
      | 2024-03-01 10:00          | d3 as anna  | p1   | allow subscriber | none   | -     |                   |
      | 2024-03-01 10:00          | d3 as anna  | f1   | allow subscriber | none   | -     |                   |
      | 2024-03-01 10:14:59       | d1          | m2   | allow open       | none   | -     |                   |
      | 2024-03-01 10:15:00       | d1          | m2   | deny wall        | denied | 1/1   | plan_picker       |
    Given the catalogue
      | id | kind    | tier    | published_at     |
      | f1 | article | premium | 2024-03-01 08:00 |
      | p1 | article | free    | 2024-03-01 08:00 |
    Then reading comes to
      | at               | reader | item | verdict      |
      | 2024-03-01 10:16 | d1     | f1   | deny premium |
      | 2024-03-01 10:16 | d1     | p1   | allow open   |

  Scenario: 7 An article grows old and its tier changes while it is in the meter
    Given the catalogue
      | id | kind    | tier    | published_at     |
      | a1 | article | metered | 2023-03-02 10:00 |
      | a2 | article | metered | 2024-02-01 10:00 |
    And the program
      """
      meter monthly (limit: 2) = burns |> per month |> distinct item
      access story {
        deny  archive if item.published_at < now - 365d  offers plan_picker
        deny  premium if item.tier == "premium"          offers plan_picker
        allow again   if item in monthly
        allow metered if monthly.left > 0                burns monthly
        deny  wall                                       offers plan_picker
      }
      """
    Then reading comes to
      | at                            | reader | item | verdict       | commit | meter |
      | 2024-03-01T09:59:59.999+01:00 | d1     | a1   | allow metered | burned | 1/2   |
      | 2024-03-01T10:00:00.000+01:00 | d1     | a1   | allow again   | again  | 1/2   |
      | 2024-03-01T10:00:00.001+01:00 | d1     | a1   | deny archive  | denied | -     |
      | 2024-03-01T10:00:00.001+01:00 | d1     | a2   | allow metered | burned | 2/2   |
    Given the catalogue
      | id | kind    | tier    | published_at     |
      | a2 | article | premium | 2024-02-01 10:00 |
    Then reading comes to
      | at               | reader | item | verdict      | commit | meter |
      | 2024-03-01 10:01 | d1     | a2   | deny premium | denied | -     |
      | 2024-03-01 10:01 | d1     | a3   | deny wall    | denied | 2/2   |
    Given the catalogue
      | id | kind    | tier    | published_at     |
      | a2 | article | metered | 2024-02-01 10:00 |
    Then reading comes to
      | at               | reader | item | verdict     | commit | meter |
      | 2024-03-01 10:02 | d1     | a2   | allow again | again  | 2/2   |

  Scenario Outline: 8 Of conditions that overlap the upper one decides
    Given the catalogue
      | id | kind    | tier    | section |
      | a1 | article | premium | sport   |
      | a2 | article | premium | culture |
      | a3 | article | metered | sport   |
    And the program
      """
      access story {
        <first>
        <second>
        allow rest
      }
      """
    Then reading comes to
      | at               | reader | item | verdict    |
      | 2024-03-01 10:00 | d1     | a1   | <both>     |
      | 2024-03-01 10:00 | d1     | a2   | deny gold  |
      | 2024-03-01 10:00 | d1     | a3   | allow game |

    Examples:
      | first                                | second                               | both       |
      | allow game if item.section == "sport" | deny gold if item.tier == "premium"   | allow game |
      | deny gold if item.tier == "premium"   | allow game if item.section == "sport" | deny gold  |
