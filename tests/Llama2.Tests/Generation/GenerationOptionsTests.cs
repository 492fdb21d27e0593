using System.Collections;
using System.Reflection;

namespace Llama2.Tests;

public class GenerationOptionsTests
{
    private static readonly PropertyInfo[] _properties =
        [.. typeof(GenerationOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite)];

    public static TheoryData<GenerationOptions, string> Invalid => new()
    {
        { new() { Temperature = -0.5f }, "temperature is -0.5; it must be a finite number of at least 0." },
        { new() { Temperature = float.NaN }, "temperature is NaN; it must be a finite number of at least 0." },
        { new() { Temperature = float.PositiveInfinity }, "temperature is Infinity; it must be a finite number of at least 0." },
        { new() { TopK = -1 }, "top_k is -1; it must be at least 0." },
        { new() { TopP = 0 }, "top_p is 0; it must be above 0 and at most 1." },
        { new() { TopP = 1.5f }, "top_p is 1.5; it must be above 0 and at most 1." },
        { new() { TopP = float.NaN }, "top_p is NaN; it must be above 0 and at most 1." },
        { new() { MinP = -0.1f }, "min_p is -0.1; it must be from 0 to 1." },
        { new() { MinP = float.NaN }, "min_p is NaN; it must be from 0 to 1." },
        { new() { TypicalP = 0 }, "typical_p is 0; it must be above 0 and at most 1." },
        { new() { TypicalP = 1.1f }, "typical_p is 1.1; it must be above 0 and at most 1." },
        { new() { RepetitionPenalty = 0 }, "repetition_penalty is 0; it must be a finite number above 0." },
        { new() { RepetitionPenalty = float.PositiveInfinity }, "repetition_penalty is Infinity; it must be a finite number above 0." },
        { new() { RepetitionWindow = -1 }, "repetition_window is -1; it must be at least 0." },
        { new() { PresencePenalty = 2.5f }, "presence_penalty is 2.5; it must be from -2 to 2." },
        { new() { PresencePenalty = float.NaN }, "presence_penalty is NaN; it must be from -2 to 2." },
        { new() { FrequencyPenalty = -2.5f }, "frequency_penalty is -2.5; it must be from -2 to 2." },
        { new() { NoRepeatNgramSize = -1 }, "no_repeat_ngram_size is -1; it must be at least 0." },
        { new() { MaxNewTokens = 0 }, "max_new_tokens is 0; it must be at least 1." },
        { new() { MinNewTokens = -1 }, "min_new_tokens is -1; it must be at least 0." },
        { new() { MinNewTokens = 6, MaxNewTokens = 5 }, "min_new_tokens is 6; it must be at most max_new_tokens, 5." },
        { new() { MaxTime = TimeSpan.Zero }, "max_time is 00:00:00; it must be above zero." },
        { new() { MaxTime = Timeout.InfiniteTimeSpan }, "max_time is -00:00:00.0010000; it must be above zero." },
        { new() { LogProbabilities = 21 }, "logprobs is 21; it must be from 0 to 20." },
        { new() { LogProbabilities = -1 }, "logprobs is -1; it must be from 0 to 20." },
        { new() { ContextOverflow = (ContextOverflow)7 }, "context_overflow is 7; it must be Throw, DropOldestTurns or TruncateLeft." },
        { new() { BadWords = ["a", ""] }, "bad_words[1] is empty; it must be text of at least one character, without lone surrogates." },
        { new() { BadWords = [null!] }, "bad_words[0] is null; it must be text of at least one character, without lone surrogates." },
        { new() { StopSequences = [""] }, "stop_sequences[0] is empty; it must be text of at least one character, without lone surrogates." },
        { new() { StopSequences = ["a\uD83D"] }, "stop_sequences[0] is not well-formed; it must be text of at least one character, without lone surrogates." },
        { new() { StopSequences = ["\uDE00"] }, "stop_sequences[0] is not well-formed; it must be text of at least one character, without lone surrogates." },
        { new() { LogitBias = new Dictionary<int, float> { [-1] = 1 } }, "an id of logit_bias is -1; it must be at least 0." },
        { Biased(float.NaN), "logit_bias[3] is NaN; it must be a finite number, or -Infinity to forbid the token." },
        { Biased(float.PositiveInfinity), "logit_bias[3] is Infinity; it must be a finite number, or -Infinity to forbid the token." },
        { new() { StopTokenIds = [2, -2] }, "an id of stop_token_ids is -2; it must be at least 0." },
        { new() { Constraint = GenerationConstraint.Json, StopSequences = ["a"] }, "stop_sequences is set beside a constraint, and would cut the text off." },
        { new() { Constraint = GenerationConstraint.Json, IgnoreEos = true }, "ignore_eos is set beside a constraint, and would go on after the end of the text." },
        { new() { Constraint = GenerationConstraint.Json, MinNewTokens = 1 }, "min_new_tokens is set beside a constraint, and may ask for more than the constraint allows." },
        { new() { Constraint = GenerationConstraint.Json, NoRepeatNgramSize = 2 }, "no_repeat_ngram_size is set beside a constraint, and would forbid punctuation that has to repeat." },
    };

    [Theory]
    [MemberData(nameof(Invalid))]
    public void Validate_ValueOutOfRange_NamesSettingValueAndRange(GenerationOptions options, string message) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(options.Validate).Message);

    [Fact]
    public void Validate_ValuesAtTheirBounds_Passes()
    {
        new GenerationOptions().Validate();
        GenerationOptions.Defaults.Validate();
        new GenerationOptions
        {
            Temperature = 0,
            TopK = 0,
            TopP = 1,
            MinP = 0,
            TypicalP = 1,
            RepetitionPenalty = float.Epsilon,
            RepetitionWindow = 0,
            PresencePenalty = -2,
            FrequencyPenalty = -2,
            NoRepeatNgramSize = 0,
            LogitBias = new Dictionary<int, float> { [0] = float.NegativeInfinity },
            BadWords = [" "],
            Seed = long.MinValue,
            MaxNewTokens = 1,
            MinNewTokens = 1,
            MaxTime = TimeSpan.FromTicks(1),
            StopSequences = ["\U0001F600"],
            StopTokenIds = [0],
            LogProbabilities = 0,
            ContextOverflow = ContextOverflow.Throw,
        }.Validate();
        new GenerationOptions
        {
            Temperature = float.MaxValue,
            TopK = int.MaxValue,
            TopP = float.Epsilon,
            MinP = 1,
            TypicalP = float.Epsilon,
            RepetitionPenalty = float.MaxValue,
            RepetitionWindow = int.MaxValue,
            PresencePenalty = 2,
            FrequencyPenalty = 2,
            NoRepeatNgramSize = int.MaxValue,
            LogitBias = new Dictionary<int, float> { [int.MaxValue] = float.MaxValue },
            BadWords = [],
            Seed = long.MaxValue,
            MaxNewTokens = int.MaxValue,
            MinNewTokens = int.MaxValue,
            MaxTime = TimeSpan.MaxValue,
            StopSequences = [],
            StopTokenIds = [int.MaxValue],
            LogProbabilities = 20,
            ContextOverflow = ContextOverflow.TruncateLeft,
        }.Validate();
        new GenerationOptions { Constraint = GenerationConstraint.Json, StopSequences = [], IgnoreEos = false, MinNewTokens = 0, NoRepeatNgramSize = 0 }.Validate();
    }

    [Fact]
    public void Defaults_AreTheDocumentedOnes()
    {
        var expected = new Dictionary<string, object?>
        {
            ["DoSample"] = true,
            ["Temperature"] = 0.6f,
            ["TopK"] = 0,
            ["TopP"] = 0.9f,
            ["MinP"] = 0f,
            ["TypicalP"] = 1f,
            ["RepetitionPenalty"] = 1f,
            ["RepetitionWindow"] = 0,
            ["PresencePenalty"] = 0f,
            ["FrequencyPenalty"] = 0f,
            ["NoRepeatNgramSize"] = 0,
            ["LogitBias"] = null,
            ["BadWords"] = null,
            ["Seed"] = null,
            ["Adapter"] = null,
            ["MaxNewTokens"] = null,
            ["MinNewTokens"] = 0,
            ["MaxTime"] = null,
            ["StopSequences"] = null,
            ["StopTokenIds"] = null,
            ["IgnoreEos"] = false,
            ["Constraint"] = null,
            ["ReturnFullText"] = false,
            ["LogProbabilities"] = null,
            ["PromptLogProbabilities"] = false,
            ["ContextOverflow"] = ContextOverflow.Throw,
        };
        Assert.Equal(expected, _properties.ToDictionary(property => property.Name, property => property.GetValue(GenerationOptions.Defaults)));
        Assert.All(_properties, property => Assert.Null(property.GetValue(new GenerationOptions())));
    }

    [Fact]
    public void Or_HowToDrawIsSet_DrawsUnlessSaidOtherwise()
    {
        var greedy = new GenerationOptions { DoSample = false };
        Assert.True(new GenerationOptions { Temperature = 0.7f }.Or(greedy).DoSample);
        Assert.True(new GenerationOptions { TopK = 40 }.Or(greedy).DoSample);
        Assert.False(new GenerationOptions { Temperature = 0 }.Or(greedy).DoSample);
        Assert.False(new GenerationOptions { Seed = 1 }.Or(greedy).DoSample);
        Assert.False(new GenerationOptions { Temperature = 0.7f, DoSample = false }.Or(greedy with { DoSample = true }).DoSample);
    }

    [Fact]
    public void Or_EveryProperty_KeepsWhatIsSetAndTakesWhatIsNot()
    {
        foreach (PropertyInfo property in _properties)
        {
            GenerationOptions set = new(), other = new();
            property.SetValue(set, Value(property, 0));
            property.SetValue(other, Value(property, 1));
            Assert.Equal(Value(property, 0), property.GetValue(set.Or(other)));
            Assert.Equal(Value(property, 1), property.GetValue(new GenerationOptions().Or(other)));
            Assert.Equal(Value(property, 0), property.GetValue(set.Or(new GenerationOptions())));
            Assert.All(_properties.Where(p => p != property && p.Name != nameof(GenerationOptions.DoSample)), p => Assert.Null(p.GetValue(set.Or(other))));
        }

        Assert.Throws<ArgumentNullException>(() => new GenerationOptions().Or(null!));
    }

    [Fact]
    public void Snapshot_EveryList_IsACopyAndTheRestIsEqual()
    {
        var original = new GenerationOptions();
        foreach (PropertyInfo property in _properties)
        {
            property.SetValue(original, Value(property, 0));
        }

        GenerationOptions copy = original.Snapshot();
        foreach (PropertyInfo property in _properties)
        {
            Assert.Equal(property.GetValue(original), property.GetValue(copy));
            if (property.GetValue(original) is IEnumerable and not string)
            {
                Assert.NotSame(property.GetValue(original), property.GetValue(copy));
            }
        }

        Assert.Equal(new GenerationOptions(), new GenerationOptions().Snapshot());
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData(true, 0f, false)]
    [InlineData(null, 0f, false)]
    [InlineData(false, 1f, false)]
    [InlineData(true, 1f, true)]
    public void Effective_DoSampleAndTemperature_DecideWhetherTokensAreDrawn(bool? doSample, float? temperature, bool expected)
    {
        var options = new GenerationOptions { DoSample = doSample, Temperature = temperature };
        GenerationOptions effective = options.Effective();
        Assert.Equal(expected, effective.DoSample);
        Assert.Equal(temperature ?? 0.6f, effective.Temperature);
        Assert.Equal(0.9f, effective.TopP);
        Assert.Equal(doSample, options.DoSample);
    }

    private static GenerationOptions Biased(float bias) => new() { LogitBias = new Dictionary<int, float> { [3] = bias } };

    private static object Value(PropertyInfo property, int variant)
    {
        Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        return type == typeof(bool) ? variant == 0
            : type == typeof(int) ? 3 + variant
            : type == typeof(long) ? 3L + variant
            : type == typeof(string) ? $"name {variant}"
            : type == typeof(float) ? 0.25f + variant
            : type == typeof(TimeSpan) ? TimeSpan.FromSeconds(1 + variant)
            : type == typeof(ContextOverflow) ? (ContextOverflow)(1 + variant)
            : type == typeof(GenerationConstraint) ? GenerationConstraint.Choice(["a", $"{variant}"])
            : type == typeof(IReadOnlyList<string>) ? new List<string> { "a", $"{variant}" }
            : type == typeof(IReadOnlyList<int>) ? new List<int> { 7, variant }
            : type == typeof(IReadOnlyDictionary<int, float>) ? new Dictionary<int, float> { [7] = variant }
            : throw new NotSupportedException($"{property.Name} is of a type that this test has no values for.");
    }
}
