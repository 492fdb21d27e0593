using System.Reflection;
using Llama2.Testing;

namespace Llama2.Tests;

public sealed class LlamaModelOptionsComparerTests
{
    public static TheoryData<string> Properties => [.. typeof(LlamaModelOptions).GetProperties().Where(property => property.Name != nameof(LlamaModelOptions.Generation)).Select(property => property.Name)];

    public static TheoryData<string> GenerationProperties => [.. Settable(typeof(GenerationOptions)).Select(property => property.Name)];

    [Theory]
    [MemberData(nameof(Properties))]
    public void AreEqual_OnePropertyDiffers_IsFalse(string name)
    {
        var options = new LlamaModelOptions();
        Assert.True(LlamaModelOptionsComparer.AreEqual(options, new LlamaModelOptions()));

        Change(options, name);

        Assert.False(LlamaModelOptionsComparer.AreEqual(options, new LlamaModelOptions()));
        Assert.True(LlamaModelOptionsComparer.AreEqual(options, options));
    }

    [Theory]
    [MemberData(nameof(GenerationProperties))]
    public void AreEqual_OneSettingDiffers_IsFalse(string name)
    {
        LlamaModelOptions one = new(), same = new();
        Change(one.Generation, name);
        Change(same.Generation, name);

        Assert.False(LlamaModelOptionsComparer.AreEqual(one, new LlamaModelOptions()));
        Assert.True(LlamaModelOptionsComparer.AreEqual(one, same));
    }

    [Fact]
    public void AreEqual_OtherBackendOrTemplate_IsFalse()
    {
        LlamaModelOptions backend = new LlamaModelOptions().UseBackend((_, _, _, _) => new FakeBackend());
        LlamaModelOptions template = new LlamaModelOptions().UseChatTemplate(new Llama2ChatTemplate());
        Assert.False(LlamaModelOptionsComparer.AreEqual(backend, new LlamaModelOptions()));
        Assert.False(LlamaModelOptionsComparer.AreEqual(template, new LlamaModelOptions()));
        Assert.True(LlamaModelOptionsComparer.AreEqual(backend, new LlamaModelOptions().UseBackend(backend.Backend!)));
        Assert.True(LlamaModelOptionsComparer.AreEqual(template, new LlamaModelOptions().UseChatTemplate(template.ChatTemplate!)));
    }

    [Fact]
    public void AreEqual_BiasesInAnotherOrder_IsTrue()
    {
        LlamaModelOptions one = new(), other = new();
        one.Generation.LogitBias = new Dictionary<int, float> { [1] = 1, [2] = -1 };
        other.Generation.LogitBias = new Dictionary<int, float> { [2] = -1, [1] = 1 };

        Assert.True(LlamaModelOptionsComparer.AreEqual(one, other));
    }

    private static IEnumerable<PropertyInfo> Settable(Type type) => type.GetProperties().Where(property => property.CanWrite);

    private static void Change(object target, string name)
    {
        PropertyInfo property = target.GetType().GetProperty(name)!;
        Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        object? before = property.GetValue(target);
        property.SetValue(target, before switch
        {
            bool value => !value,
            int value => value + 1,
            long value => value + 1,
            _ when type == typeof(string) => "another",
            _ when type == typeof(bool) => true,
            _ when type == typeof(int) => 5,
            _ when type == typeof(long) => 5L,
            _ when type == typeof(float) => 0.5f,
            _ when type == typeof(TimeSpan) => TimeSpan.FromSeconds(1),
            _ when type.IsEnum => Enum.GetValues(type).GetValue(1),
            _ when type == typeof(GenerationConstraint) => GenerationConstraint.Json,
            _ when type == typeof(IReadOnlyList<string>) => new[] { "a", "b" },
            _ when type == typeof(IReadOnlyList<int>) => new[] { 3, 4 },
            _ when type == typeof(IDictionary<string, string>) => new Dictionary<string, string> { ["name"] = "path" },
            _ when type == typeof(IReadOnlyDictionary<int, float>) => new Dictionary<int, float> { [3] = 1 },
            _ => throw new NotSupportedException($"Teach this test about {type}."),
        });
    }
}
