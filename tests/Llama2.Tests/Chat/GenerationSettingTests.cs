using System.Text.Json;

namespace Llama2.Tests;

public class GenerationSettingTests
{
    /// <summary>A value for every name: the plain one, and the property that it must give.</summary>
    public static TheoryData<string, string, object, object> Values => new()
    {
        { "do_sample", nameof(GenerationOptions.DoSample), false, false },
        { "temperature", nameof(GenerationOptions.Temperature), 0.25, 0.25f },
        { "top_k", nameof(GenerationOptions.TopK), 7, 7 },
        { "top_p", nameof(GenerationOptions.TopP), 0.5, 0.5f },
        { "min_p", nameof(GenerationOptions.MinP), 0.125, 0.125f },
        { "typical_p", nameof(GenerationOptions.TypicalP), 0.75, 0.75f },
        { "repetition_penalty", nameof(GenerationOptions.RepetitionPenalty), 1.5, 1.5f },
        { "repetition_window", nameof(GenerationOptions.RepetitionWindow), 64, 64 },
        { "presence_penalty", nameof(GenerationOptions.PresencePenalty), 0.5, 0.5f },
        { "frequency_penalty", nameof(GenerationOptions.FrequencyPenalty), -0.5, -0.5f },
        { "no_repeat_ngram_size", nameof(GenerationOptions.NoRepeatNgramSize), 3, 3 },
        { "seed", nameof(GenerationOptions.Seed), 9007199254740993L, 9007199254740993L },
        { "adapter", nameof(GenerationOptions.Adapter), "LEGAL", "LEGAL" },
        { "max_new_tokens", nameof(GenerationOptions.MaxNewTokens), 11, 11 },
        { "max_tokens", nameof(GenerationOptions.MaxNewTokens), 12, 12 },
        { "min_new_tokens", nameof(GenerationOptions.MinNewTokens), 2, 2 },
        { "max_time", nameof(GenerationOptions.MaxTime), 1.5, TimeSpan.FromSeconds(1.5) },
        { "ignore_eos", nameof(GenerationOptions.IgnoreEos), true, true },
        { "return_full_text", nameof(GenerationOptions.ReturnFullText), true, true },
        { "logprobs", nameof(GenerationOptions.LogProbabilities), 4, 4 },
        { "top_logprobs", nameof(GenerationOptions.LogProbabilities), 5, 5 },
        { "prompt_logprobs", nameof(GenerationOptions.PromptLogProbabilities), true, true },
        { "context_overflow", nameof(GenerationOptions.ContextOverflow), "drop_oldest_turns", ContextOverflow.DropOldestTurns },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Read_EveryForm_GivesTheValue(string name, string property, object given, object expected)
    {
        GenerationSetting setting = GenerationSetting.Find(name)!;
        Assert.Equal(property, setting.Property);
        string json = JsonSerializer.Serialize(given);
        string text = given as string ?? json;
        foreach (object form in new[] { given, text, JsonElement(json), JsonElement(JsonSerializer.Serialize(text)), text.ToUpperInvariant() })
        {
            var options = new GenerationOptions();
            setting.Set(options, setting.Read(SettingValue.Unwrap(form)!)!);
            Assert.Equal(expected, typeof(GenerationOptions).GetProperty(property)!.GetValue(options));
            Assert.Equal(expected, setting.Get(options));
        }
    }

    [Fact]
    public void All_EveryProperty_HasAName()
    {
        Assert.Equal(
            typeof(GenerationOptions).GetProperties().Select(property => property.Name).Order(),
            GenerationSetting.All.Select(setting => setting.Property).Distinct().Order());
        string[] lists = ["logit_bias", "bad_words", "stop_sequences", "stop", "stop_token_ids", "choice", "regex", "response_format"];
        Assert.Equal(GenerationSetting.All.Select(setting => setting.Name).Order(), Values.Select(row => (string)row[0]).Concat(lists).Order());
    }

    [Theory]
    [InlineData("stop")]
    [InlineData("stop_sequences")]
    [InlineData("bad_words")]
    public void Read_TextsInAnyForm_GivesTheTexts(string name)
    {
        GenerationSetting setting = GenerationSetting.Find(name)!;
        object?[] forms =
        [
            new[] { "a", "b" }, new List<string> { "a", "b" }, JsonElement("""["a", "b"]"""), new object[] { JsonElement("\"a\""), "b" },
            Enumerable.Range(0, 2).Select(i => (object?)(i == 0 ? "a" : "b")),
        ];
        Assert.All(forms, form => Assert.Equal(["a", "b"], (string[])setting.Read(SettingValue.Unwrap(form)!)!));
        Assert.Equal(["a"], (string[])setting.Read("a")!);
        Assert.Null(setting.Read(new object?[] { "a", null }));
        Assert.Null(setting.Read(new object[] { "a", 1 }));
        Assert.Null(setting.Read(3));
    }

    [Fact]
    public void Read_ConstraintInAnyForm_GivesTheConstraint()
    {
        const string Schema = """{"type":"null"}""";
        Assert.Equal(GenerationConstraint.Choice(["a", "b"]), Read("choice", new[] { "a", "b" }));
        Assert.Equal(GenerationConstraint.Choice(["a", "b"]), Read("choice", JsonElement("""["a", "b"]""")));
        Assert.Equal(GenerationConstraint.Choice(["a"]), Read("choice", "a"));
        Assert.Equal(GenerationConstraint.Regex("a+"), Read("regex", "a+"));
        Assert.Equal(GenerationConstraint.Json, Read("response_format", "JSON_object"));
        Assert.Equal(GenerationConstraint.JsonSchema(Schema), Read("response_format", Schema));
        Assert.Equal(GenerationConstraint.Regex("a+"), Read("response_format", GenerationConstraint.Regex("a+")));
        Assert.Null(Read("regex", 3));
        Assert.Null(Read("choice", 3));
        Assert.Null(Read("response_format", "yaml"));
        Assert.Throws<GenerationConstraintException>(() => Read("regex", "("));

        static object? Read(string name, object value) => GenerationSetting.Find(name)!.Read(SettingValue.Unwrap(value)!);
    }

    [Fact]
    public void Describe_Constraint_HasTheNameThatReadsItBack()
    {
        GenerationConstraint[] constraints =
            [GenerationConstraint.Choice(["a", "b"]), GenerationConstraint.Regex("a+"), GenerationConstraint.Json, GenerationConstraint.JsonSchema("{}")];
        string[] names = ["choice", "regex", "response_format", "response_format"];
        for (int i = 0; i < constraints.Length; i++)
        {
            (string name, object? value) = Assert.Single(GenerationSetting.Describe(new() { Constraint = constraints[i] }));
            Assert.Equal(names[i], name);
            Assert.Equal(constraints[i], GenerationSetting.Find(name)!.Read(value!));
        }
    }

    [Fact]
    public void Read_IdsInAnyForm_GivesTheIds()
    {
        GenerationSetting setting = GenerationSetting.Find("stop_token_ids")!;
        object[] forms = [new[] { 3, 4 }, new List<long> { 3, 4 }, new[] { 3.0, 4.0 }, JsonElement("[3, 4.0]"), new object[] { "3", JsonElement("4") }];
        Assert.All(forms, form => Assert.Equal([3, 4], (int[])setting.Read(SettingValue.Unwrap(form)!)!));
        Assert.Equal([5], (int[])setting.Read(5L)!);
        Assert.Null(setting.Read(new[] { 3.5 }));
    }

    [Fact]
    public void Read_BiasInAnyForm_GivesTheBias()
    {
        GenerationSetting setting = GenerationSetting.Find("logit_bias")!;
        var expected = new Dictionary<int, float> { [3] = -1.5f, [4] = 2 };
        object[] forms =
        [
            new Dictionary<int, float> { [3] = -1.5f, [4] = 2 },
            new Dictionary<string, object?> { ["3"] = -1.5, ["4"] = JsonElement("2") },
            new Dictionary<long, double> { [3] = -1.5, [4] = 2 },
            new Microsoft.Extensions.AI.AdditionalPropertiesDictionary { ["3"] = "-1.5", ["4"] = 2 },
            JsonElement("""{"3": -1.5, "4": 2}"""),
            new KeyValuePair<int, float>[] { new(3, -1.5f), new(4, 2) },
        ];
        Assert.All(forms, form => Assert.Equal(expected, (Dictionary<int, float>)setting.Read(SettingValue.Unwrap(form)!)!));
        Assert.Equal(float.NegativeInfinity, ((Dictionary<int, float>)setting.Read(new Dictionary<int, double> { [1] = double.NegativeInfinity })!)[1]);
        Assert.Null(setting.Read(new Dictionary<string, int> { ["x"] = 1 }));
        Assert.Null(setting.Read(new Dictionary<string, int> { ["1"] = 1, ["01"] = 2 }));
        Assert.Null(setting.Read(new Dictionary<int, double> { [1] = double.NaN }));
        Assert.Null(setting.Read(new Dictionary<int, double> { [1] = 1e300 }));
        Assert.Null(setting.Read(new Dictionary<int, object?> { [1] = null }));
        Assert.Null(setting.Read("3"));
    }

    [Theory]
    [InlineData("top_k", "3.5")]
    [InlineData("top_k", "3e10")]
    [InlineData("top_k", "\"x\"")]
    [InlineData("top_k", "\"\"")]
    [InlineData("top_k", "true")]
    [InlineData("top_k", "[3]")]
    [InlineData("seed", "1e30")]
    [InlineData("seed", "{}")]
    [InlineData("temperature", "\"warm\"")]
    [InlineData("temperature", "\"NaN\"")]
    [InlineData("temperature", "1e300")]
    [InlineData("temperature", "false")]
    [InlineData("do_sample", "2")]
    [InlineData("do_sample", "\"yes\"")]
    [InlineData("max_time", "\"soon\"")]
    [InlineData("max_time", "1e300")]
    [InlineData("context_overflow", "\"wrap\"")]
    [InlineData("context_overflow", "1")]
    public void Read_WrongForm_GivesNothing(string name, string json) =>
        Assert.Null(GenerationSetting.Find(name)!.Read(SettingValue.Unwrap(JsonElement(json))!));

    [Fact]
    public void Read_EveryNumericType_GivesTheNumber()
    {
        GenerationSetting setting = GenerationSetting.Find("top_k")!;
        object[] forms = [(sbyte)3, (byte)3, (short)3, (ushort)3, 3, 3u, 3L, 3ul, 3f, 3d, 3m, (Half)3, "3", "3.0", " 3e0 "];
        Assert.All(forms, form => Assert.Equal(3, setting.Read(form)));
        Assert.Null(setting.Read(ulong.MaxValue));
        Assert.Null(setting.Read(new object()));
        Assert.Equal(0.1f, GenerationSetting.Find("top_p")!.Read(0.1f));
        Assert.True((bool)GenerationSetting.Find("do_sample")!.Read(1.0)!);
        Assert.False((bool)GenerationSetting.Find("do_sample")!.Read(0)!);
    }

    [Fact]
    public void Read_TimeForms_GiveTheTime()
    {
        GenerationSetting setting = GenerationSetting.Find("max_time")!;
        Assert.All(new object[] { TimeSpan.FromSeconds(90), 90, "90", "00:01:30" }, form => Assert.Equal(TimeSpan.FromSeconds(90), setting.Read(form)));
    }

    [Fact]
    public void Read_OverflowForms_GiveThePolicy()
    {
        GenerationSetting setting = GenerationSetting.Find("context_overflow")!;
        object[] forms = [ContextOverflow.TruncateLeft, "TruncateLeft", "truncate_left"];
        Assert.All(forms, form => Assert.Equal(ContextOverflow.TruncateLeft, setting.Read(form)));
        Assert.Equal(ContextOverflow.Throw, setting.Read("throw"));
        Assert.Null(setting.Read((ContextOverflow)9));
    }

    [Fact]
    public void Describe_ReadBack_GivesTheSameSettings()
    {
        var options = new GenerationOptions
        {
            DoSample = true,
            Temperature = 0.7f,
            TopK = 40,
            TopP = 0.8f,
            MinP = 0.05f,
            TypicalP = 0.9f,
            RepetitionPenalty = 1.1f,
            RepetitionWindow = 32,
            PresencePenalty = 0.1f,
            FrequencyPenalty = 0.2f,
            NoRepeatNgramSize = 4,
            LogitBias = new Dictionary<int, float> { [5] = -1 },
            BadWords = ["x"],
            Seed = 42,
            Adapter = "legal",
            MaxNewTokens = 10,
            MinNewTokens = 1,
            MaxTime = TimeSpan.FromSeconds(2),
            StopSequences = ["y"],
            StopTokenIds = [7],
            IgnoreEos = true,
            Constraint = GenerationConstraint.Choice(["a", "b"]),
            ReturnFullText = true,
            LogProbabilities = 2,
            PromptLogProbabilities = true,
            ContextOverflow = ContextOverflow.TruncateLeft,
        };
        var described = GenerationSetting.Describe(options).ToDictionary();
        Assert.Equal(typeof(GenerationOptions).GetProperties().Length, described.Count);
        var copy = new GenerationOptions();
        foreach ((string name, object? value) in described)
        {
            GenerationSetting setting = GenerationSetting.Find(name)!;
            setting.Set(copy, setting.Read(value!)!);
        }

        Assert.Equal(JsonSerializer.Serialize(options), JsonSerializer.Serialize(copy));
        Assert.Equal(options.Constraint, copy.Constraint);
        Assert.Empty(GenerationSetting.Describe(new()));
    }

    [Theory]
    [InlineData("ContextOverflow", "context_overflow")]
    [InlineData("topK", "top_k")]
    [InlineData("max-new-tokens", "max_new_tokens")]
    [InlineData("max_new_token", "max_new_tokens")]
    [InlineData("repetitionPenalties", "repetition_penalty")]
    [InlineData("temprature", "temperature")]
    [InlineData("colour", null)]
    [InlineData("", null)]
    public void Nearest_Misspelling_FindsTheName(string name, string? expected) => Assert.Equal(expected, GenerationSetting.Nearest(name));

    [Fact]
    public void Find_AnyCase_FindsTheName()
    {
        Assert.Equal("top_k", GenerationSetting.Find("TOP_K")!.Name);
        Assert.Null(GenerationSetting.Find("topk"));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("1")]
    public void Unwrap_Json_GivesPlainValues(string json) => Assert.Equal(json == "null" ? null : (object)1L, SettingValue.Unwrap(JsonElement(json)));

    private static JsonElement JsonElement(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
