using System.Text;
using Llama2.Testing;

namespace Llama2.Training.Tests;

public sealed class FileTrainingDataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LlamaTokenizer _tokenizer = TinyModels.Create().LoadTokenizer()!;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_JsonLinesCsvAndTsv_GiveTheSameSequences()
    {
        string json = Write("a.jsonl", "\uFEFF{\"text\": \"say, \\\"hi\\\"\", \"ground_truth\": \"hi\\nyou\"}\r\n\r\n{\"text\": \"b\", \"ground_truth\": \"c\"}");
        string csv = Write("a.csv", "\uFEFFid,ground_truth,text\r\n1,\"hi\nyou\",\"say, \"\"hi\"\"\"\r\n\r\n2,c,b\r\n");
        string tsv = Write("a.TSV", "text\tground_truth\n\"say, \"\"hi\"\"\"\t\"hi\nyou\"\nb\tc");

        string[] expected = [.. Texts(Open(json))];

        Assert.Equal(["[INST] say, \"hi\" [/INST] hi\nyou ", "[INST] b [/INST] c "], expected);
        Assert.Equal(expected, Texts(Open(csv)));
        Assert.Equal(expected, Texts(Open(tsv)));
    }

    [Fact]
    public void Read_CsvOfConversations_ReadsItsJson()
    {
        string csv = Write("a.csv", """
            messages,text,ground_truth
            "[{""role"": ""user"", ""content"": ""a""}, {""role"": ""assistant"", ""content"": ""b""}]",,
            ,c,d
            """);

        Assert.Equal(["[INST] a [/INST] b ", "[INST] c [/INST] d "], Texts(Open(csv)));
    }

    [Fact]
    public void Read_Epochs_HaveAllRowsInOrdersOfTheirOwn()
    {
        FileTrainingData data = Open(Rows(100), options => options with { ShuffleSeed = 7 });
        string[] first = [.. Texts(data)], second = [.. Texts(data, epoch: 1)];

        Assert.NotEqual(first, second);
        Assert.Equal(first.Order(), second.Order());
        Assert.Equal(100, first.Distinct().Count());
        Assert.Equal(first, Texts(Open(_folder["rows.jsonl"], options => options with { ShuffleSeed = 7 })));
        Assert.NotEqual(first, Texts(Open(_folder["rows.jsonl"], options => options with { ShuffleSeed = 8 })));
    }

    /// <summary>Pinned, for a run that was begun with another version must go on with the same rows.</summary>
    [Fact]
    public void Read_Seed42_HasTheOrderItAlwaysHad() =>
        Assert.Equal([3, 4, 9, 2, 1, 7, 0, 5, 8, 6], Texts(Open(Rows(10), options => options with { ShuffleSeed = 42 })).Select(Number));

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Read_Skip_GoesOnWhereItStopped(bool pack)
    {
        FileTrainingData data = Open(Rows(60), options => options with { ShuffleSeed = 3, Pack = pack });
        string[] whole = [.. Texts(data, epoch: 2)];

        Assert.Equal(data.Count, whole.Length);
        Assert.All(new[] { 0, 1, data.Count / 2, data.Count }, skip => Assert.Equal(whole[skip..], Texts(data, epoch: 2, skip)));
        Assert.Empty(data.Read(0, long.MaxValue));
    }

    [Fact]
    public void Read_Packed_KeepsRowsApart()
    {
        string path = Rows(50);
        FileTrainingData rows = Open(path), packed = Open(path, options => options with { Pack = true });
        Dictionary<string, TrainingSequence> single = rows.Read(0).ToDictionary(row => _tokenizer.Decode(row.Tokens.Span));

        int seen = 0;
        foreach (TrainingSequence pack in packed.Read(0))
        {
            Assert.InRange(pack.Tokens.Length, 1, 200);
            int start = 0;
            foreach (int length in pack.SegmentLengths.ToArray())
            {
                TrainingSequence row = single[_tokenizer.Decode(pack.Tokens.Span.Slice(start, length))];
                Assert.Equal(row.Tokens.ToArray(), pack.Tokens.Slice(start, length).ToArray());
                Assert.Equal(row.InLoss.ToArray(), pack.InLoss.Slice(start, length).ToArray());
                start += length;
                seen++;
            }
        }

        Assert.Equal(50, seen);
        Assert.Equal((50, rows.TokenCount), (packed.RowCount, packed.TokenCount));
        Assert.InRange(packed.Count, 1, 49);
        Assert.Equal(packed.Count, ((ITrainingData)packed).Count);
    }

    [Fact]
    public void Open_SeveralFiles_FollowEachOther()
    {
        string[] paths = [Write("b.jsonl", Row("x", "1")), Write("a.csv", "text,ground_truth\ny,2\n"), Write("empty.jsonl", ""), Write("header.csv", "text,ground_truth\n")];

        var data = FileTrainingData.Open(paths, _tokenizer, Options);

        Assert.Equal(["[INST] x [/INST] 1 ", "[INST] y [/INST] 2 "], Texts(data));
        Assert.Equal((2, data.Summary.TokenCount), (data.RowCount, data.TokenCount));
    }

    [Fact]
    public void Open_BadRow_NamesFileAndLine()
    {
        string path = Write("a.csv", "text,ground_truth\n\"a\nb\",c\n\nd\n");

        TrainingDataException exception = Assert.Throws<TrainingDataException>(() => Open(path));

        Assert.Equal($"{path}, line 5: the row has 1 fields, the header 2.", exception.Message);
        Assert.Equal((path, 5L, "the row has 1 fields, the header 2"), (exception.File, exception.Line, exception.Problem));
    }

    [Fact]
    public void Open_BadRowsSkipped_CountsAndReportsThem()
    {
        string lines = string.Join('\n', Enumerable.Range(0, 300).Select(i => i % 2 == 0 ? Row($"a{i}", "b") : "{"));

        FileTrainingData data = Open(Write("a.jsonl", lines), options => options with { BadRows = BadRowPolicy.Skip });

        Assert.Equal((150, 150L, 150L), (data.Count, data.Summary.RowCount, data.Summary.BadRowCount));
        Assert.Equal(Enumerable.Range(1, 100).Select(i => 2L * i), data.Summary.BadRows.Select(row => row.Line));
        Assert.Equal(150, Texts(data).Count());
    }

    [Fact]
    public void Open_LongRows_AreCounted()
    {
        string path = Write("a.jsonl", Row("a", new string('#', 300)) + "\n" + Row("a", "b"));

        TrainingDataSummary cut = Open(path).Summary, left = Open(path, options => options with { Truncation = Truncation.LeaveOut }).Summary;

        Assert.Equal((2, 1, 0), (cut.RowCount, cut.CutRowCount, cut.LeftOutRowCount));
        Assert.Equal((1, 0, 1), (left.RowCount, left.CutRowCount, left.LeftOutRowCount));
        Assert.Equal(200 + left.TokenCount, cut.TokenCount);
        Assert.Equal(Open(path).Read(0).Sum(row => row.InLoss.Span.Count(true)), cut.TargetCount);
    }

    [Theory]
    [InlineData("a.jsonl", "{\"text\": \"\u00ff\", \"ground_truth\": \"b\"}", 1, "the row is not UTF-8")]
    [InlineData("a.csv", "text,ground_truth\n\u00ff,b", 2, "the row is not UTF-8")]
    [InlineData("a.csv", "te\u00ffxt,ground_truth", 1, "the row is not UTF-8")]
    [InlineData("a.csv", "text,other\na,b", 1, "the header has no 'ground_truth'; it has 'text', 'other'")]
    [InlineData("a.csv", "\nx,ground_truth\na,b", 2, "the header has no 'text'; it has 'x', 'ground_truth'")]
    [InlineData("a.csv", "text,ground_truth,text\na,b,c", 1, "the header has 'text' twice")]
    [InlineData("a.csv", "messages\n\"\"", 2, "'messages' is empty")]
    [InlineData("a.csv", "messages\n{", 2, "'messages' is no valid JSON at byte 1")]
    [InlineData("a.csv", "text,ground_truth\n\"a,b", 2, "the quote that opens field 1 is never closed")]
    [InlineData("a.parquet", "PAR1", 0, "'.parquet' is no known kind of data; there are .jsonl, .ndjson, .json, .csv and .tsv")]
    public void Open_Unusable_SaysWhereAndWhy(string name, string latin, long line, string problem)
    {
        File.WriteAllBytes(_folder[name], Encoding.Latin1.GetBytes(latin));

        TrainingDataException exception = Assert.Throws<TrainingDataException>(() => Open(_folder[name]));

        Assert.Equal((line, problem), (exception.Line, exception.Problem));
    }

    [Fact]
    public void Open_MissingFile_Throws() => Assert.Throws<FileNotFoundException>(() => Open(_folder["none.jsonl"]));

    [Fact]
    public void Open_CalledOff_Stops()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => FileTrainingData.Open(Rows(1), _tokenizer, Options, source.Token));
    }

    [Fact]
    public void Read_FileChanged_Throws()
    {
        FileTrainingData data = Open(Rows(3));
        File.AppendAllText(_folder["rows.jsonl"], "\n" + Row("a", "b"));

        Assert.Contains("changed", Assert.Throws<TrainingDataException>(() => data.Read(0).First()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NegativeArguments_ThrowAtOnce()
    {
        FileTrainingData data = Open(Rows(3));

        Assert.Throws<ArgumentOutOfRangeException>(() => data.Read(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => data.Read(0, -1));
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Split_Shares_AreDisjointAndRepeatable(bool pack)
    {
        FileTrainingData data = Open(Rows(100), options => options with { Pack = pack });

        IReadOnlyList<FileTrainingData> parts = data.Split(5, 0.8, 0.1, 0.1), again = data.Split(5, 0.8, 0.1, 0.1);

        Assert.Equal([80, 10, 10], parts.Select(part => part.RowCount));
        Assert.Equal(100, parts.SelectMany(part => Numbers(part)).Distinct().Count());
        Assert.Equal(parts.Select(part => Numbers(part)), again.Select(part => Numbers(part)));
        Assert.NotEqual(Numbers(parts[1]), Numbers(data.Split(6, 0.8, 0.1, 0.1)[1]));
        Assert.Equal(data.TokenCount, parts.Sum(part => part.TokenCount));
        Assert.Equal(25, Assert.Single(data.Split(5, 0.25)).RowCount);

        int[] Numbers(FileTrainingData part) =>
            [.. part.Read(0).SelectMany(row => _tokenizer.Decode(row.Tokens.Span).Split("[INST]").Skip(1)).Select(Number).Order()];
    }

    [Fact]
    public void Split_WrongShares_Throw()
    {
        FileTrainingData data = Open(Rows(3));

        Assert.Throws<ArgumentException>(() => data.Split(1));
        Assert.Throws<ArgumentException>(() => data.Split(1, 0.5, 0.6));
        Assert.Throws<ArgumentException>(() => data.Split(1, 0.5, 0));
        Assert.Throws<ArgumentException>(() => data.Split(1, double.NaN));
    }

    [Fact]
    public void TrainingTexts_AllKinds_GiveTheirTexts()
    {
        string[] paths =
        [
            Write("a.txt", "one\n\ntwo"),
            Write("a.jsonl", Row("a", "b") + "\n{\n{\"messages\": [{\"role\": \"user\", \"content\": \"c\"}, {\"role\": \"assistant\", \"content\": \"\"}]}"),
            Write("a.csv", "text,ground_truth\nd,e"),
        ];

        Assert.Equal(["one", "two", "a", "b", "c", "d", "e"], TrainingTexts.Read(paths, Options with { BadRows = BadRowPolicy.Skip }));
        Assert.Equal(2, Assert.Throws<TrainingDataException>(() => TrainingTexts.Read(paths, Options).ToArray()).Line);
    }

    [Fact]
    public void Options_Defaults_AreAsDocumented()
    {
        var options = new TrainingDataOptions { MaximumLength = 9 };

        Assert.Equal(("text", "ground_truth", "messages"), (options.TextKey, options.GroundTruthKey, options.MessagesKey));
        Assert.Equal((RowRendering.Chat, LossScope.Completions, Truncation.CutEnd), (options.Rendering, options.LossOn, options.Truncation));
        Assert.Equal((BadRowPolicy.Fail, false, 42, null), (options.BadRows, options.Pack, options.ShuffleSeed, options.SystemPrompt));
        Assert.IsType<Llama2ChatTemplate>(options.ChatTemplate);
    }

    [Fact]
    public void Open_OptionOutOfRange_Throws()
    {
        string path = Rows(1);

        Assert.Throws<ArgumentOutOfRangeException>(() => Open(path, options => options with { MaximumLength = 1 }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { TextKey = "" }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { MessagesKey = "" }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { GroundTruthKey = "" }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { Rendering = (RowRendering)9 }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { LossOn = (LossScope)9 }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { Truncation = (Truncation)9 }));
        Assert.Throws<ArgumentException>(() => Open(path, options => options with { BadRows = (BadRowPolicy)9 }));
        Assert.Throws<ArgumentNullException>(() => Open(path, options => options with { ChatTemplate = null! }));
    }

    private static TrainingDataOptions Options => new() { MaximumLength = 200, ShuffleSeed = null };

    private FileTrainingData Open(string path, Func<TrainingDataOptions, TrainingDataOptions>? change = null) =>
        FileTrainingData.Open(path, _tokenizer, change?.Invoke(Options) ?? Options);

    private IEnumerable<string> Texts(FileTrainingData data, int epoch = 0, long skip = 0) =>
        data.Read(epoch, skip).Select(row => _tokenizer.Decode(row.Tokens.Span));

    private string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    /// <summary>Numbered rows of different lengths.</summary>
    private string Rows(int count) =>
        Write("rows.jsonl", string.Concat(Enumerable.Range(0, count).Select(i => Row($"{i} {new string('x', i * 7 % 31)}", $"y{i}") + "\n")));

    private static int Number(string text) => int.Parse(text.Replace("[INST]", "", StringComparison.Ordinal).Trim().Split(' ')[0], null);

    private static string Row(string text, string answer) => $$"""{"text": "{{text}}", "ground_truth": "{{answer}}"}""";
}
