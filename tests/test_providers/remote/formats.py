"""Answers in the services' documented formats, written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.test_providers.replay import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

ARXIV = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query?search_query=all:tides" rel="self"/>
  <title type="html">ArXiv Query: search_query=all:tides</title>
  <id>http://arxiv.org/api/abcDEF</id>
  <updated>2026-02-27T00:00:00-05:00</updated>
  <opensearch:totalResults
    xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">2</opensearch:totalResults>
  <entry>
    <id>http://arxiv.org/abs/2601.01234v2</id>
    <updated>2026-01-20T10:00:00Z</updated>
    <published>2026-01-05T09:30:00Z</published>
    <title>Tides in a
  narrow bay where x&lt;y</title>
    <summary>  We measure tides &amp; currents.
</summary>
    <author><name>Ada Pole</name></author>
    <author><name>Ben Sand</name></author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/tide.1</arxiv:doi>
    <link href="http://arxiv.org/abs/2601.01234v2" rel="alternate" type="text/html"/>
    <link title="pdf" href="http://arxiv.org/pdf/2601.01234v2" rel="related"/>
    <category term="physics.ao-ph" scheme="http://arxiv.org/schemas/atom"/>
  </entry>
  <entry>
    <id>http://arxiv.org/abs/math/0309136v1</id>
    <published>2003-09-08T00:00:00Z</published>
    <title>An old one</title>
    <summary>Old.</summary>
    <author><name>C. Shore</name></author>
  </entry>
</feed>"""
ARXIV_EMPTY = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>ArXiv Query</title></feed>"""
ARXIV_ERROR = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>ArXiv Query</title><entry>
<id>http://arxiv.org/api/errors#incorrect_id_format_for_1234</id><title>Error</title>
<summary>incorrect id format for 1234</summary></entry></feed>"""

WIKIPEDIA = {
    "batchcomplete": True,
    "query": {
        "pages": [
            {
                "pageid": 2,
                "ns": 0,
                "title": "Tide (disambiguation)",
                "index": 2,
                "extract": "Tide may refer to:",
                "fullurl": "https://en.wikipedia.org/wiki/Tide_(disambiguation)",
                "pageprops": {"disambiguation": ""},
            },
            {
                "pageid": 1,
                "ns": 0,
                "title": "Tide",
                "index": 1,
                "extract": "Tides are the rise and fall of sea levels.",
                "fullurl": "https://en.wikipedia.org/wiki/Tide",
                "touched": "2026-02-01T08:00:00Z",
            },
            {"ns": 0, "title": "Gone", "index": 3, "missing": True},
        ]
    },
}
WIKIPEDIA_EMPTY = {"batchcomplete": True}
WIKIPEDIA_ERROR = {"error": {"code": "srsearch-error", "info": "The search backend is away"}}

OPENALEX = {
    "meta": {"count": 2, "page": 1, "per_page": 10},
    "results": [
        {
            "id": "https://openalex.org/W1",
            "doi": "https://doi.org/10.1000/tide.2",
            "display_name": "Tidal <i>mixing</i>",
            "relevance_score": 80.0,
            "publication_date": "2025-06-01",
            "abstract_inverted_index": {"Mixing": [0], "by": [1, 3], "tides": [2], "day": [4]},
            "authorships": [{"author": {"display_name": "Ada Pole"}}, {"author": {}}],
            "primary_location": {
                "landing_page_url": "https://doi.org/10.1000/tide.2",
                "pdf_url": None,
                "source": {"display_name": "Journal of Bays"},
            },
            "cited_by_count": 7,
        },
        {
            "id": "https://openalex.org/W2",
            "doi": None,
            "display_name": None,
            "relevance_score": 20.0,
            "publication_date": None,
            "abstract_inverted_index": None,
            "authorships": [],
            "primary_location": None,
        },
    ],
}
OPENALEX_EMPTY = {"meta": {"count": 0}, "results": []}

CROSSREF = {
    "status": "ok",
    "message-type": "work-list",
    "message": {
        "total-results": 2,
        "items": [
            {
                "DOI": "10.1000/tide.3",
                "URL": "https://doi.org/10.1000/tide.3",
                "title": ["Sea level <sub>2</sub> &amp; tides"],
                "abstract": "<jats:title>Abstract</jats:title><jats:p>Levels rose.</jats:p>",
                "score": 40.5,
                "issued": {"date-parts": [[2024, 3]]},
                "author": [{"given": "Ada", "family": "Pole"}, {"name": "Tide Group"}],
                "container-title": ["Coasts"],
                "type": "journal-article",
            },
            {"DOI": "10.1000/bare", "issued": {"date-parts": [[None]]}},
        ],
    },
}
CROSSREF_EMPTY = {"status": "ok", "message": {"items": []}}

SEMANTIC_SCHOLAR = {
    "total": 1,
    "offset": 0,
    "data": [
        {
            "paperId": "649def34",
            "title": "Predicting tides",
            "abstract": None,
            "url": "https://www.semanticscholar.org/paper/649def34",
            "year": 2023,
            "publicationDate": None,
            "authors": [{"authorId": "1", "name": "Ada Pole"}],
            "venue": "Bays",
            "externalIds": {"DOI": "10.1000/tide.4", "CorpusId": 1},
            "openAccessPdf": {"url": "https://example.org/tide.pdf", "status": "GREEN"},
            "citationCount": 3,
        }
    ],
}
SEMANTIC_SCHOLAR_EMPTY = {"total": 0, "offset": 0}

PUBMED_IDS = {
    "header": {"type": "esearch", "version": "0.3"},
    "esearchresult": {"count": "2", "retmax": "2", "retstart": "0", "idlist": ["22", "11"]},
}
PUBMED_NONE = {"esearchresult": {"count": "0", "idlist": []}}
PUBMED_ERROR = {"error": "API rate limit exceeded", "count": "11"}
PUBMED_ARTICLES = b"""<?xml version="1.0" ?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN"
 "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet>
<PubmedArticle><MedlineCitation><PMID Version="1">11</PMID><Article>
 <Journal><JournalIssue><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>
 </JournalIssue><Title>Old Journal</Title></Journal>
 <ArticleTitle>An older one.</ArticleTitle></Article></MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID Version="1">22</PMID><Article>
 <Journal><JournalIssue><PubDate><Year>2025</Year><Month>Mar</Month><Day>07</Day></PubDate>
 </JournalIssue><Title>Journal of Swimming</Title></Journal>
 <ArticleTitle>Effects of <i>tides</i> on swimmers.</ArticleTitle>
 <Abstract><AbstractText Label="METHODS">We swam.</AbstractText>
 <AbstractText Label="RESULTS">We got <b>wet</b>.</AbstractText></Abstract>
 <AuthorList><Author><LastName>Pole</LastName><ForeName>Ada</ForeName></Author>
 <Author><CollectiveName>Swim Group</CollectiveName></Author></AuthorList>
</Article></MedlineCitation><PubmedData><ArticleIdList>
 <ArticleId IdType="pubmed">22</ArticleId><ArticleId IdType="doi">10.1000/swim</ArticleId>
</ArticleIdList></PubmedData></PubmedArticle>
</PubmedArticleSet>"""

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Harbour news</title><link>https://example.org/</link>
<item><title>Low tide on Sunday</title><link>https://example.org/low</link><guid>n1</guid>
 <pubDate>Sat, 28 Feb 2026 10:00:00 +0100</pubDate>
 <description>&lt;p&gt;Very &lt;b&gt;low&lt;/b&gt; water.&lt;/p&gt;</description></item>
<item><title>Fish market</title><link>https://example.org/fish</link><guid>n2</guid>
 <pubDate>Fri, 27 Feb 2026 10:00:00 GMT</pubDate><description>Fresh.</description></item>
</channel></rss>"""
ATOM = b"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom news</title><id>urn:feed</id>
<entry><id>urn:1</id><title type="html">Tides &amp;amp; you</title>
<updated>2026-02-20T00:00:00Z</updated>
<link href="https://example.org/atom/1"/><author><name>Ada</name></author><category term="sea"/>
<content type="html">&lt;p&gt;Long text.&lt;/p&gt;</content><summary>Short.</summary>
</entry></feed>"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "JSON news",
    "items": [
        {
            "id": "j1",
            "url": "https://example.org/j1",
            "title": "A JSON item",
            "content_html": "<p>Of <em>tides</em></p>",
            "date_published": "2026-02-21T10:00:00+01:00",
            "authors": [{"name": "Ada"}],
            "tags": ["sea"],
        }
    ],
}
PAGE = b"""<!doctype html><html lang="en"><head><title>The bay</title>
<meta property="article:published_time" content="2026-01-02T03:04:05Z"><script>alert(1)</script>
</head><body><nav>Home</nav><h1>The bay</h1><p>It is narrow &amp; deep.</p></body></html>"""
SEARX = {
    "query": "tides",
    "results": [
        {"title": "B", "url": "https://example.org/b", "content": "second", "score": 1.0},
        {
            "title": "A",
            "url": "https://example.org/a",
            "content": "first",
            "score": 4.0,
            "publishedDate": "2026-01-01T00:00:00",
        },
    ],
}
SUGGESTIONS = ["tid", ["tide", "tidy"], ["the sea", ""], ["https://example.org/tide", ""]]

XML = {"Content-Type": "application/xml"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
PORTAL = Reply(b"<!DOCTYPE html><html><body>Log in to the hotel's network</body></html>", 200, HTML)


@dataclass(frozen=True)
class Service:
    """A provider, where it lives, and what it answers when all is well."""

    provider: str
    host: str
    good: Sequence[Reply]
    empty: Sequence[Reply]
    query: str = "tides"

    def __str__(self) -> str:
        return self.provider


def said(body: Any, headers: dict[str, str] | None = None) -> Reply:
    return Reply(body, 200, headers or {})


SERVICES = (
    Service("arxiv", "export.arxiv.org", [said(ARXIV, XML)], [said(ARXIV_EMPTY, XML)]),
    Service("wikipedia", "en.wikipedia.org", [said(WIKIPEDIA)], [said(WIKIPEDIA_EMPTY)]),
    Service("openalex", "api.openalex.org", [said(OPENALEX)], [said(OPENALEX_EMPTY)]),
    Service("crossref", "api.crossref.org", [said(CROSSREF)], [said(CROSSREF_EMPTY)]),
    Service(
        "semantic_scholar",
        "api.semanticscholar.org",
        [said(SEMANTIC_SCHOLAR)],
        [said(SEMANTIC_SCHOLAR_EMPTY)],
    ),
    Service(
        "pubmed",
        "eutils.ncbi.nlm.nih.gov",
        [said(PUBMED_IDS), said(PUBMED_ARTICLES, XML)],
        [said(PUBMED_NONE)],
    ),
    Service(
        "news",
        "example.org",
        [said(RSS, XML)],
        [said(RSS[: RSS.index(b"<item>")] + b"</channel></rss>")],
        query="",
    ),
    Service("searx", "search.example.org", [said(SEARX)], [said({"results": []})]),
)
