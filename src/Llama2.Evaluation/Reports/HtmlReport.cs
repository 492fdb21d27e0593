namespace Llama2.Evaluation;

/// <summary>Writes a report as a page that stands alone.</summary>
internal static class HtmlReport
{
    /// <summary>What the column of unrecognised predictions is called.</summary>
    public const string OtherColumn = "no class";

    private const int OpenExamples = 3;
    private const int Headlines = 6;

    private const string Style = """
        :root{color-scheme:light dark;--bg:#f7f8fa;--card:#fff;--ink:#1b2430;--soft:#5b6878;--line:#dfe4ea;--accent:#2457c5;--on:#fff;
        --s0:#2457c5;--s1:#c2410c;--s2:#0f766e;--s3:#9333ea;--s4:#a16207;--s5:#be185d}
        @media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e6ebf1;--soft:#9aa8b8;--line:#2d3743;--accent:#7aa5ff;--on:#0d1117;
        --s0:#7aa5ff;--s1:#fb923c;--s2:#2dd4bf;--s3:#c084fc;--s4:#facc15;--s5:#f472b6}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
        main{max-width:1120px;margin:0 auto;padding:20px 16px 48px}
        h1{font-size:1.6rem;line-height:1.25;margin:.4rem 0 .2rem}
        h2{font-size:1.1rem;margin:0 0 .8rem}
        .facts{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;margin:0 0 1.2rem;color:var(--soft);font-size:.92rem}
        .facts div{display:flex;gap:.4rem}.facts dt::after{content:":"}.facts dd{margin:0;color:var(--ink)}
        .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin-bottom:16px}
        .wide{columns:2 440px;column-gap:16px}
        .wide>.card{display:inline-block;width:100%}
        .card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;min-width:0}
        section.card{margin-bottom:16px;break-inside:avoid}
        .metric .name{font-size:.82rem;color:var(--soft)}
        .metric .value{font-size:1.5rem;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums}
        .metric .more{font-size:.78rem;color:var(--soft);line-height:1.35}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.92rem}
        th,td{padding:6px 8px;text-align:right;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
        th:first-child,td:first-child{text-align:left;padding-left:0}th{color:var(--soft);font-weight:600}
        tr:last-child td{border-bottom:0}
        td+td,th{white-space:nowrap}td.text{text-align:left;white-space:pre-wrap}
        td .more{font-size:.8rem;color:var(--soft);line-height:1.35}
        td:first-child{overflow-wrap:break-word}
        @media(max-width:480px){table{font-size:.86rem}th,td{padding:6px 4px}th:last-child,td:last-child{padding-right:0}}
        svg{display:block;width:100%;height:auto;max-width:560px;margin:0 auto}
        svg.fixed{max-width:none;width:auto}
        svg text{fill:var(--ink);font:11px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        svg .soft{fill:var(--soft)}svg .on{fill:var(--on)}
        svg .rule{stroke:var(--line);stroke-width:1}svg .mean{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:4 3}
        svg .cell{fill:var(--accent);stroke:var(--line);stroke-width:.5}svg .bar{fill:var(--accent)}
        svg .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        .key{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.6rem 0 0;padding:0;font-size:.85rem;justify-content:center}
        .key i{display:inline-block;width:14px;height:3px;border-radius:2px;vertical-align:middle;margin-right:6px}
        .c0{stroke:var(--s0);background:var(--s0)}.c1{stroke:var(--s1);background:var(--s1)}.c2{stroke:var(--s2);background:var(--s2)}
        .c3{stroke:var(--s3);background:var(--s3)}.c4{stroke:var(--s4);background:var(--s4)}.c5{stroke:var(--s5);background:var(--s5)}
        .hint{font-size:.82rem;color:var(--soft);margin:.6rem 0 0;text-align:center}
        details{border-top:1px solid var(--line)}details:first-of-type{border-top:0}
        summary{cursor:pointer;padding:10px 0;font-size:.92rem}
        summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        .part{margin:0 0 10px}.part span{display:block;font-size:.78rem;color:var(--soft);margin-bottom:2px}
        pre{margin:0;padding:8px 10px;background:var(--bg);border-radius:8px;white-space:pre-wrap;
        font:13px/1.45 ui-monospace,Consolas,Menlo,monospace;max-height:320px;overflow-y:auto}
        .notes{margin:0;padding-left:1.2rem}
        @media print{body{background:none}.card{break-inside:avoid}pre{max-height:none}}
        """;

    public static string Write(EvaluationReport report)
    {
        var page = new MarkupWriter();
        page.Raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")
            .Raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">")
            .Raw("<meta name=\"color-scheme\" content=\"light dark\">")
            .Element("title", report.Title).Raw("\n<style>\n").Raw(Style).Raw("\n</style></head>\n<body><main>\n")
            .Begin("h1", ("dir", "auto")).Text(report.Title).End();
        WriteFacts(page, report);
        WriteMetrics(page, report.Metrics);
        WriteCharts(page, report);
        WriteClasses(page, report.Classes);
        WriteAllMetrics(page, report.Metrics);
        WriteExamples(page, report.Examples);
        WriteSettings(page, report.Settings);
        WriteNotes(page, report.Notes);
        return page.Raw("</main></body></html>\n").ToString();
    }

    /// <summary>What stands below the title.</summary>
    public static IEnumerable<(string Name, string Value)> Facts(EvaluationReport report)
    {
        (string Name, string? Value)[] facts =
        [
            ("Model", report.Model), ("Task", report.Task), ("Data", report.Dataset),
            ("Items", report.Items is long items ? ReportNumber.Count(items) : null),
            ("Date", report.Created is { } created ? ReportNumber.Date(created) : null),
        ];
        return from fact in facts where fact.Value is not null select (fact.Name, fact.Value);
    }

    private static void WriteFacts(MarkupWriter page, EvaluationReport report)
    {
        page.Begin("dl", ("class", "facts"));
        foreach ((string name, string value) in Facts(report))
        {
            page.Begin("div").Element("dt", name).Element("dd", value, ("dir", "auto")).End();
        }

        page.End().Raw("\n");
    }

    private static void WriteMetrics(MarkupWriter page, IReadOnlyList<ReportMetric> metrics)
    {
        if (metrics.Count == 0)
        {
            return;
        }

        page.Begin("div", ("class", "grid"));
        foreach (ReportMetric metric in metrics.Take(Headlines))
        {
            page.Begin("div", ("class", "card metric")).Begin("div", ("class", "name"));
            WriteName(page, metric.Name);
            page.End().Element("div", ReportNumber.Figure(metric.Value), ("class", "value"));
            if (metric.Interval is { } interval)
            {
                page.Element("div", ReportNumber.Interval(interval), ("class", "more"));
            }

            if (metric.Description is { } description)
            {
                page.Element("div", description, ("class", "more"));
            }

            page.End();
        }

        page.End().Raw("\n");
    }

    /// <summary>The whole list, where there is more than the headlines.</summary>
    private static void WriteAllMetrics(MarkupWriter page, IReadOnlyList<ReportMetric> metrics)
    {
        if (metrics.Count <= Headlines)
        {
            return;
        }

        Section(page, "All figures");
        page.Begin("table");
        foreach (ReportMetric metric in metrics)
        {
            page.Begin("tr").Begin("td");
            WriteName(page, metric.Name);
            page.Element("div", metric.Description ?? "", ("class", "more")).End().Begin("td").Text(ReportNumber.Figure(metric.Value));
            if (metric.Interval is { } interval)
            {
                page.Element("div", $"{ReportNumber.Figure(interval.Lower)} – {ReportNumber.Figure(interval.Upper)}", ("class", "more"));
            }

            page.End().End();
        }

        page.End().End().Raw("\n");
    }

    /// <summary>A name that may break after an underscore.</summary>
    private static void WriteName(MarkupWriter page, string name)
    {
        int start = 0;
        for (int end = name.IndexOf('_', StringComparison.Ordinal) + 1; end > 0; end = name.IndexOf('_', start) + 1)
        {
            page.Text(name[start..end]).Raw("<wbr>");
            start = end;
        }

        page.Text(name[start..]);
    }

    private static void WriteCharts(MarkupWriter page, EvaluationReport report)
    {
        if (report.Confusion is null && report.Curves.Count + report.Histograms.Count == 0)
        {
            return;
        }

        page.Begin("div", ("class", "wide"));
        if (report.Confusion is { } confusion)
        {
            Section(page, "Confusion matrix");
            ConfusionChart.Write(page, confusion);
            page.Element("p", "Rows are the true classes, columns the predictions. The stronger the colour, the larger the share of the row.", ("class", "hint"));
            page.End();
        }

        foreach (ReportCurve curve in report.Curves)
        {
            Section(page, curve.Title);
            CurveChart.Write(page, curve);
            page.End();
        }

        foreach (ReportHistogram histogram in report.Histograms)
        {
            Section(page, histogram.Title);
            HistogramChart.Write(page, histogram);
            page.End();
        }

        page.End().Raw("\n");
    }

    private static void WriteClasses(MarkupWriter page, IReadOnlyList<ClassMetrics> classes)
    {
        if (classes.Count == 0)
        {
            return;
        }

        Section(page, "Classes");
        page.Begin("div", ("class", "scroll")).Begin("table").Raw("<tr><th>Class</th><th>Precision</th><th>Recall</th><th>F1</th><th>Items</th></tr>");
        foreach (ClassMetrics item in classes)
        {
            page.Begin("tr").Begin("td").Element("bdi", item.Name).End()
                .Element("td", ReportNumber.Figure(item.Precision))
                .Element("td", ReportNumber.Figure(item.Recall))
                .Element("td", ReportNumber.Figure(item.F1))
                .Element("td", ReportNumber.Count(item.Support)).End();
        }

        page.End().End().End().Raw("\n");
    }

    private static void WriteExamples(MarkupWriter page, IReadOnlyList<ReportExample> examples)
    {
        if (examples.Count == 0)
        {
            return;
        }

        Section(page, "Examples");
        for (int i = 0; i < examples.Count; i++)
        {
            ReportExample example = examples[i];
            page.Begin("details", i < OpenExamples ? [("open", "")] : []);
            IEnumerable<string?> figures = example.Metrics.Select(metric => $"{metric.Name} {ReportNumber.Figure(metric.Value)}");
            page.Element("summary", string.Join(" · ", figures.Prepend(example.Verdict).Prepend(ReportNumber.Count(i + 1)).OfType<string>()));
            Part("Input", example.Input);
            Part("Reference", example.Reference);
            Part("Prediction", example.Prediction ?? "(failed)");
            page.End();
        }

        page.End().Raw("\n");

        void Part(string title, string? text)
        {
            if (text is not null)
            {
                page.Begin("div", ("class", "part")).Element("span", title).Element("pre", text, ("dir", "auto"), ("tabindex", "0")).End();
            }
        }
    }

    private static void WriteSettings(MarkupWriter page, IReadOnlyDictionary<string, string> settings)
    {
        if (settings.Count == 0)
        {
            return;
        }

        Section(page, "Settings");
        page.Begin("table");
        foreach ((string name, string value) in settings)
        {
            page.Begin("tr").Element("td", name).Element("td", value, ("class", "text"), ("dir", "auto")).End();
        }

        page.End().End().Raw("\n");
    }

    private static void WriteNotes(MarkupWriter page, IReadOnlyList<string> notes)
    {
        if (notes.Count == 0)
        {
            return;
        }

        Section(page, "Notes");
        page.Begin("ul", ("class", "notes"));
        foreach (string note in notes)
        {
            page.Element("li", note, ("dir", "auto"));
        }

        page.End().End().Raw("\n");
    }

    private static void Section(MarkupWriter page, string title) => page.Begin("section", ("class", "card")).Element("h2", title, ("dir", "auto"));
}
