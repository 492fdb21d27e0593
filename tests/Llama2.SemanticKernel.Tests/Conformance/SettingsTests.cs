using System.Reflection;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.SemanticKernel;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 34 to 43: the settings by themselves. What each setting is called and what it sets, the engine's own table says.</summary>
public sealed class SettingsTests
{
    private static readonly ChatOptionsMapper _mapper = new("tiny", SettingsValidation.Strict, NullLogger.Instance);

    public static TheoryData<string> Names => [.. PlainNames];

    /// <summary>Every setting but <c>response_format</c>, which has more forms than one and tests of its own.</summary>
    private static IEnumerable<string> PlainNames =>
        GenerationSetting.All.DistinctBy(SettingProperty.Of).Select(setting => setting.Name).Where(name => name != ResponseFormatSetting.Name);

    [Fact]
    public void Check34_FromNull_IsUnset()
    {
        Llama2PromptExecutionSettings settings = Llama2PromptExecutionSettings.FromExecutionSettings(null);

        Assert.All(Own(), property => Assert.Null(property.GetValue(settings)));
        Assert.Equal("{}", JsonSerializer.Serialize(settings, AIJsonUtilities.DefaultOptions));
    }

    [Fact]
    public void Check35_FromOwnType_IsTheSameInstance()
    {
        var settings = new Llama2PromptExecutionSettings();
        Assert.Same(settings, Llama2PromptExecutionSettings.FromExecutionSettings(settings));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Check36_FromJsonWithoutTypes_FillsTheProperty(string name)
    {
        string json = Json(Value(name)), text = JsonSerializer.Serialize(json.Trim('"'));
        string[] forms = Value(name) is string or System.Collections.IEnumerable ? [json] : [json, text];
        foreach (string form in forms)
        {
            var generic = JsonSerializer.Deserialize<PromptExecutionSettings>($$"""{"{{name}}": {{form}}, "model_id": "m"}""")!;

            var settings = Llama2PromptExecutionSettings.FromExecutionSettings(generic);

            Assert.Equal(Value(name), Property(name).GetValue(settings));
            Assert.Equal(("m", null), (settings.ModelId, settings.ExtensionData));
            Assert.Equal(Value(name), Property(name).GetValue(JsonSerializer.Deserialize<Llama2PromptExecutionSettings>($$"""{"{{name}}": {{form}} }""")));
        }
    }

    [Fact]
    public void Check36_MaxTokens_IsSemanticKernelsNameOfTheLimit()
    {
        var settings = JsonSerializer.Deserialize<Llama2PromptExecutionSettings>("""{"max_tokens": "7"}""")!;

        Assert.Equal((7, null), (settings.MaxTokens, settings.MaxNewTokens));
        Assert.Equal(7, Mapped(settings).MaxNewTokens);
        settings.MaxNewTokens = 8;
        Assert.Throws<ArgumentException>(() => Mapped(settings));
    }

    [Theory]
    [InlineData("temperature", "\"warm\"", "a finite number")]
    [InlineData("top_k", "[1]", "a 32-bit integer")]
    [InlineData("max_tokens", "1.5", "a 32-bit integer")]
    [InlineData("response_format", "\"yaml\"", "a JSON schema")]
    [InlineData("stop_sequences", "[1]", "a text or a list of texts")]
    [InlineData("choice", "true", "a text or a list of texts")]
    [InlineData("regex", "[\"a\"]", "a regular expression")]
    [InlineData("adapter", "1", "the name of a loaded adapter")]
    public void Check36_WrongForm_IsRefusedWithNameAndForm(string name, string value, string form)
    {
        string json = $$"""{"{{name}}": {{value}} }""";

        ArgumentException exception = Assert.Throws<ArgumentException>(() =>
            Llama2PromptExecutionSettings.FromExecutionSettings(JsonSerializer.Deserialize<PromptExecutionSettings>(json)));

        Assert.Contains($"'{name}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(form, exception.Message, StringComparison.Ordinal);
        Assert.Equal(exception.Message, Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Llama2PromptExecutionSettings>(json)).Message);
    }

    [Fact]
    public void Check37_FromAnotherConnectorsType_KeepsWhatIsCommon()
    {
        var other = new OtherConnectorsSettings
        {
            ServiceId = "s",
            ModelId = "m",
            Temperature = 0.25,
            MaxTokens = 9,
            Stop = ["END"],
            ExtensionData = new Dictionary<string, object> { ["top_k"] = 3 },
        };

        var settings = Llama2PromptExecutionSettings.FromExecutionSettings(other);

        Assert.Equal(("s", "m", 0.25f, 9, 3), (settings.ServiceId, settings.ModelId, settings.Temperature, settings.MaxTokens, settings.TopK));
        Assert.Equal(["END"], settings.StopSequences);
    }

    [Fact]
    public void Check38_FunctionChoiceBehavior_StaysTheSameInstance()
    {
        FunctionChoiceBehavior behavior = FunctionChoiceBehavior.Auto();

        Assert.Same(behavior, Llama2PromptExecutionSettings.FromExecutionSettings(new PromptExecutionSettings { FunctionChoiceBehavior = behavior }).FunctionChoiceBehavior);
        Assert.Same(behavior, Llama2PromptExecutionSettings.FromExecutionSettings(new OtherConnectorsSettings { FunctionChoiceBehavior = behavior }).FunctionChoiceBehavior);
    }

    [Fact]
    public void Check39_Clone_HasTypeValuesAndListsOfItsOwn()
    {
        Llama2PromptExecutionSettings settings = Everything();
        settings.FunctionChoiceBehavior = FunctionChoiceBehavior.None();
        settings.ExtensionData = new Dictionary<string, object> { ["chat_system_prompt"] = "p" };

        var clone = Assert.IsType<Llama2PromptExecutionSettings>(settings.Clone());

        Assert.All(Own().Append(typeof(PromptExecutionSettings).GetProperty("ServiceId")!).Append(typeof(PromptExecutionSettings).GetProperty("ModelId")!), property =>
        {
            Assert.NotNull(property.GetValue(settings));
            Assert.Equal(property.GetValue(settings), property.GetValue(clone));
        });
        Assert.Same(settings.FunctionChoiceBehavior, clone.FunctionChoiceBehavior);
        Assert.NotSame(settings.ExtensionData, clone.ExtensionData);
        Assert.Equal("p", clone.ExtensionData!["chat_system_prompt"]);
        Assert.NotSame(settings.StopSequences, clone.StopSequences);
        Assert.NotSame(settings.LogitBias, clone.LogitBias);
        Assert.NotSame(settings.Choice, clone.Choice);
        settings.Freeze();
        Assert.False(settings.Clone().IsFrozen);
    }

    [Fact]
    public void Check40_Frozen_RefusesEveryChange()
    {
        Llama2PromptExecutionSettings settings = Everything();
        settings.ExtensionData = new Dictionary<string, object> { ["a"] = 1 };
        var stop = new List<string> { "a" };
        settings.StopSequences = stop;

        settings.Freeze();
        settings.Freeze();

        Assert.True(settings.IsFrozen);
        Assert.All(Own(), property => Assert.IsType<InvalidOperationException>(
            Assert.Throws<TargetInvocationException>(() => property.SetValue(settings, property.GetValue(settings))).InnerException));
        Assert.Throws<InvalidOperationException>(() => settings.ModelId = "m");
        stop.Add("b");
        Assert.Equal(["a"], settings.StopSequences!);
        Assert.Throws<NotSupportedException>(() => ((IList<string>)settings.StopSequences!).Add("b"));
        Assert.Throws<NotSupportedException>(() => ((IList<string>)settings.BadWords!)[0] = "b");
        Assert.Throws<NotSupportedException>(() => ((IList<string>)settings.Choice!)[0] = "b");
        Assert.Throws<NotSupportedException>(() => ((IDictionary<int, float>)settings.LogitBias!).Add(1, 1));
        Assert.Throws<NotSupportedException>(() => settings.ExtensionData!.Add("b", 1));
    }

    [Fact]
    public void Check42_EverySetting_HasAProperty() => Assert.All(GenerationSetting.All, setting =>
    {
        PropertyInfo engines = typeof(GenerationOptions).GetProperty(setting.Property)!;
        Type type = engines.PropertyType != typeof(GenerationConstraint) ? engines.PropertyType : setting.Name switch
        {
            "choice" => typeof(IReadOnlyList<string>),
            "regex" => typeof(string),
            _ => typeof(ChatResponseFormat),
        };
        Assert.Equal(type, SettingProperty.Of(setting)?.PropertyType);
    });

    /// <summary>Typed and untyped settings, by the service's own reading and by Semantic Kernel's alone.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Check43_Setting_ReachesTheEngineOnEveryPath(string name)
    {
        var typed = new Llama2PromptExecutionSettings();
        Property(name).SetValue(typed, Value(name));
        var generic = JsonSerializer.Deserialize<PromptExecutionSettings>($$"""{"{{name}}": {{Json(Value(name))}} }""")!;
        GenerationSetting setting = GenerationSetting.Find(name)!;
        var expected = new GenerationOptions();
        setting.Set(expected, setting.Read(SettingValue.Unwrap(Value(name))!)!);

        PromptExecutionSettings[] all = [typed, typed.Clone(), generic, generic.Typed()!, JsonSerializer.Deserialize<Llama2PromptExecutionSettings>(JsonSerializer.Serialize(typed))!];
        Assert.All(all, settings => Assert.Equivalent(GenerationSetting.Describe(expected).ToDictionary(), GenerationSetting.Describe(Mapped(settings)).ToDictionary(), strict: true));
    }

    [Fact]
    public void Check43_EverythingTogether_SurvivesJson()
    {
        Llama2PromptExecutionSettings settings = Everything();

        var copy = JsonSerializer.Deserialize<Llama2PromptExecutionSettings>(JsonSerializer.Serialize(settings))!;

        Assert.All(Own().Where(property => property.Name != nameof(settings.ResponseFormat)), property => Assert.Equal(property.GetValue(settings), property.GetValue(copy)));
        Assert.Equal(("s", "m"), (copy.ServiceId, copy.ModelId));
        var format = Assert.IsType<ChatResponseFormatJson>(copy.ResponseFormat);
        Assert.Equal(("answer", "What to say."), (format.SchemaName, format.SchemaDescription));
        Assert.Equal("""{"type":"object"}""", format.Schema!.Value.GetRawText());
    }

    [Fact]
    public void Check43_ChatOptions_HaveWhatMiddlewareLooksFor()
    {
        var settings = new Llama2PromptExecutionSettings { Temperature = 0.5f, TopP = 0.25f, TopK = 4, MaxNewTokens = 6, Seed = long.MaxValue, StopSequences = ["a"], ModelId = "m" };

        ChatOptions options = settings.ToChatOptions(kernel: null)!;

        Assert.Equal((0.5f, 0.25f, 4, 6, long.MaxValue, "m"), (options.Temperature, options.TopP, options.TopK, options.MaxOutputTokens, options.Seed, options.ModelId));
        Assert.Equal(["a"], options.StopSequences!);
    }

    [Theory]
    [InlineData("\"text\"", null)]
    [InlineData("\"json_object\"", "")]
    [InlineData("""{"type": "text"}""", null)]
    [InlineData("""{"type": "json_object"}""", "")]
    [InlineData("""{"type": "object", "required": ["a"]}""", """{"type": "object", "required": ["a"]}""")]
    [InlineData("""{"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "array"}}}""", """{"type": "array"}""")]
    [InlineData("\"{\\\"type\\\": \\\"object\\\"}\"", """{"type": "object"}""")]
    public void Check46_ResponseFormat_IsReadInEveryForm(string json, string? schema)
    {
        var settings = Llama2PromptExecutionSettings.FromExecutionSettings(JsonSerializer.Deserialize<PromptExecutionSettings>($$"""{"response_format": {{json}} }"""));
        var copy = JsonSerializer.Deserialize<Llama2PromptExecutionSettings>(JsonSerializer.Serialize(settings))!;

        foreach (ChatResponseFormat? format in new[] { settings.ResponseFormat, copy.ResponseFormat, settings.ToChatOptions(null)!.ResponseFormat })
        {
            if (schema is null)
            {
                Assert.IsType<ChatResponseFormatText>(format);
            }
            else
            {
                JsonElement? read = Assert.IsType<ChatResponseFormatJson>(format).Schema;
                Assert.True(read is null ? schema.Length == 0 : JsonElement.DeepEquals(JsonElement.Parse(schema), read.Value));
            }
        }
    }

    [Fact]
    public void Check46_ResponseFormatInCode_TakesTypesAndMaps()
    {
        Assert.Contains("\"trueForAll\"", Format(typeof(Answer)), StringComparison.Ordinal);
        Assert.Equal("""{"type":"object"}""", Compact(Format(new Dictionary<string, object> { ["type"] = "object" })));
        Assert.Equal("""{"type":"object"}""", Compact(Format(System.Text.Json.Nodes.JsonNode.Parse("""{"type":"object"}""")!)));

        static string Compact(string json) => JsonSerializer.Serialize(JsonElement.Parse(json));

        static string Format(object value) => ((ChatResponseFormatJson)Llama2PromptExecutionSettings.FromExecutionSettings(
            new PromptExecutionSettings { ExtensionData = new Dictionary<string, object> { ["response_format"] = value } }).ResponseFormat!).Schema!.Value.GetRawText();
    }

    private static PropertyInfo[] Own() =>
        typeof(Llama2PromptExecutionSettings).GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly);

    private static PropertyInfo Property(string name) => SettingProperty.Of(GenerationSetting.Find(name)!)!;

    private static GenerationOptions Mapped(PromptExecutionSettings settings) => _mapper.Map(settings.ToChatOptions(kernel: null), new ScriptedChatClient());

    private static Llama2PromptExecutionSettings Everything()
    {
        var settings = new Llama2PromptExecutionSettings
        {
            ServiceId = "s",
            ModelId = "m",
            MaxTokens = 5,
            ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object"}"""), "answer", "What to say."),
        };
        foreach (string name in PlainNames)
        {
            Property(name).SetValue(settings, Value(name));
        }

        return settings;
    }

    private static string Json(object value) => value switch
    {
        TimeSpan time => JsonSerializer.Serialize(time.TotalSeconds),
        ContextOverflow => "\"drop_oldest_turns\"",
        IReadOnlyDictionary<int, float> => """{"3": -1.5, "4": "-Infinity"}""",
        _ => JsonSerializer.Serialize(value),
    };

    private static object Value(string name)
    {
        Type type = Property(name).PropertyType;
        type = Nullable.GetUnderlyingType(type) ?? type;
        return
            type == typeof(bool) ? true :
            type == typeof(int) ? 5 :
            type == typeof(long) ? 9007199254740993 :
            type == typeof(float) ? 0.7f :
            type == typeof(string) ? "a" :
            type == typeof(TimeSpan) ? TimeSpan.FromSeconds(1.5) :
            type == typeof(ContextOverflow) ? ContextOverflow.DropOldestTurns :
            type == typeof(IReadOnlyList<string>) ? new[] { "a", "b" } :
            type == typeof(IReadOnlyList<int>) ? new[] { 3, 4 } :
            type == typeof(IReadOnlyDictionary<int, float>) ? new Dictionary<int, float> { [3] = -1.5f, [4] = float.NegativeInfinity } :
            throw new NotSupportedException($"Teach this test about {type}.");
    }

    private sealed record Answer(bool TrueForAll);

    /// <summary>Shaped as the settings of first-party connectors are.</summary>
    private sealed class OtherConnectorsSettings : PromptExecutionSettings
    {
        [System.Text.Json.Serialization.JsonPropertyName("temperature")]
        public double? Temperature { get; set; }

        [System.Text.Json.Serialization.JsonPropertyName("max_tokens")]
        public int? MaxTokens { get; set; }

        [System.Text.Json.Serialization.JsonPropertyName("stop_sequences")]
        public IList<string>? Stop { get; set; }
    }
}
